"""Authentication types besides OAuth 2.0: what each puts on a request of a connection.

Every secret here goes to one host, that of the base URI: when it moves to another, the stored secrets and tokens are dropped.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from connections.actions import grants, logins
from connections.actions.logins import SchemeError, custom_values, fetch, filled, header_value, opened
from connections.actions.outgoing import WITHOUT_BODY, Outgoing
from connections.models import Actor, Connection, Grant
from connections.models.choices import AuthType
from connections.oauth import schemes
from connections.oauth.schemes import SigningError
from connections.sealing import Sealed

__all__ = ["SchemeError", "fetch", "log_in", "place", "renew", "sign"]

JUST_NOW = timedelta(seconds=30)  # a login this young is not repeated: the API refuses for another reason


def sign(
    connection: Connection, outgoing: Outgoing, *, by: Actor | None = None, token: Sealed | None = None
) -> int | None:
    """Put on a request what proves who asks. Returns the generation of the grant that was used, for `renew`; None without one.

    A cookie that is missing or has run out is fetched first, as `by`. `token` is a cookie or token that a login of values not
    saved has brought. Raises SchemeError; GrantError where a login fails, OAuthError where one of values not saved does.
    """
    try:
        match connection.auth_type:
            case AuthType.COOKIE | AuthType.TOKEN:
                return _logged_in(connection, outgoing, by=by, token=token)
            case AuthType.NONE:
                pass
            case known if known in SIGNERS:
                SIGNERS[known](connection, outgoing)
            case other:
                raise ValueError(f"{other} is not signed here.")
    except SigningError as error:
        code = error.code
    else:
        return None
    raise SchemeError(code)


def renew(connection: Connection, *, by: Actor, used: int | None = None) -> bool:
    """After an authentication failure: a new cookie or token. Whether the call may be repeated, once, signed anew.

    `used` is what `sign` returned for the call that failed: where another process has logged in since, that result is taken.
    Raises GrantError where the login fails.
    """
    if not logins.logs_in(connection):
        return False
    grant = grants.find(connection)
    is_new = grant.refreshed_at is not None and timezone.now() - grant.refreshed_at < JUST_NOW
    if is_new or (used is not None and grant.generation != used):
        return grant.generation != used
    return grants.refresh(connection, by=by, stale=grant.generation).generation != used


def log_in(connection: Connection, *, stored: Connection | None, by: Actor) -> Sealed | None:
    """For a test: a new cookie or token. `connection` holds the values to try, `stored` the saved ones, if any.

    None where nothing may be asked for: to renew a token for values that are not saved could end the saved one.
    Raises GrantError, or OAuthError for values not saved.
    """
    if stored is not None and logins.logs_in_as(connection, stored):
        token: Sealed | None = grants.refresh(stored, by=by, insist=True).access_token
        return token
    return Sealed.of(fetch(connection, None).access_token) if connection.auth_type == AuthType.COOKIE else None


def _logged_in(connection: Connection, outgoing: Outgoing, *, by: Actor | None, token: Sealed | None) -> int | None:
    grant = None
    if token is None:
        token, grant = _kept(connection, by=by or Actor(connection.team))
    value = opened(token)  # to the base URI's host, which it is bound to
    if connection.auth_type == AuthType.COOKIE:
        _put(outgoing, "Cookie", value)
    else:
        place(connection, outgoing, value)
    return grant.generation if grant is not None else None


def _kept(connection: Connection, *, by: Actor) -> tuple[Sealed | None, Grant | None]:
    """The cookie or token to send, and the grant that it is of, if any."""
    is_cookie = connection.auth_type == AuthType.COOKIE
    if not logins.logs_in(connection):
        return connection.token, None
    stored = Connection.objects.filter(pk=connection.pk, team_id=connection.team_id).first()
    if stored is None or not logins.logs_in_as(connection, stored):  # typed and not saved
        return (Sealed.of(fetch(connection, None).access_token) if is_cookie else connection.token), None
    grant = grants.current(stored, by=by, min_valid=1) if is_cookie else grants.find(stored)
    # A renewed token is good until the API says otherwise; before the first renewal the one that was typed is.
    return grant.access_token or connection.token, grant


def place(connection: Connection, outgoing: Outgoing, token: str) -> None:
    """Put a token where the connection sends it. Raises SchemeError where it does not fit there."""
    placed = connection.placement
    value = f"{placed.prefix} {token}".strip()
    if placed.location == "header":
        _put(outgoing, placed.name, value)
    elif placed.location == "query":
        outgoing.params.append((placed.name, value))
    else:
        _put_in_body(connection, outgoing, [(placed.name, value)])


def _put(outgoing: Outgoing, name: str, value: str) -> None:
    """Set a header, in place of one of the same name in other letters."""
    for known in [known for known in outgoing.headers if known.lower() == name.lower()]:
        del outgoing.headers[known]
    outgoing.headers[name] = header_value(name, value)


def _put_in_body(connection: Connection, outgoing: Outgoing, fields: list[tuple[str, str]]) -> None:
    if outgoing.method in WITHOUT_BODY:
        raise SchemeError("body_takes_no_fields", f"{outgoing.method} has no body.")
    typed = next((value for name, value in outgoing.headers.items() if name.lower() == "content-type"), "")
    usual = {"json": "application/json", "urlencoded": schemes.FORM, "form-data": "multipart/form-data"}
    content_type = typed or usual.get(connection.media_type, connection.media_type)
    assert isinstance(outgoing.body, bytes), "outgoing.reads_body() has said that all of it is needed"
    try:
        outgoing.body, content_type = schemes.body_with(outgoing.body, content_type, fields)
    except SigningError as error:
        raise SchemeError(error.code) from None
    _put(outgoing, "Content-Type", content_type)


def _basic(connection: Connection, outgoing: Outgoing) -> None:
    password = opened(connection.password)  # to the base URI's host
    _put(outgoing, "Authorization", schemes.basic(connection.username, password))


def _digest(connection: Connection, outgoing: Outgoing) -> None:
    # Itself never sent: the header holds a hash of it.
    outgoing.auth = schemes.Digest(connection.username, opened(connection.password))


def _wsse(connection: Connection, outgoing: Outgoing) -> None:
    password = opened(connection.password)  # itself never sent
    token = schemes.wsse(connection.username, password, nonce=secrets.token_hex(16), created=timezone.now())
    if connection.wsse_header.lower() != "authorization":
        _put(outgoing, "Authorization", 'WSSE profile="UsernameToken"')
    _put(outgoing, connection.wsse_header, token)


def _oauth1(connection: Connection, outgoing: Outgoing) -> None:
    is_rsa = connection.oauth1_signature_method.startswith("RSA")
    # They sign; only PLAINTEXT sends the two secrets, to the base URI's host.
    outgoing.auth = schemes.oauth1(
        signature_method=connection.oauth1_signature_method,
        consumer_key=connection.oauth1_consumer_key,
        consumer_secret="" if is_rsa else opened(connection.oauth1_consumer_secret),
        private_key=opened(connection.oauth1_private_key) if is_rsa else "",
        token=connection.oauth1_token,
        token_secret=opened(connection.oauth1_token_secret) if connection.oauth1_token_secret else "",
        realm=connection.oauth1_realm,
    )


def _jwt(connection: Connection, outgoing: Outgoing) -> None:
    algorithm = connection.jwt_algorithm
    # It signs; itself never sent.
    key = opened(connection.jwt_secret if algorithm.startswith("HS") else connection.jwt_private_key)
    known, _ = custom_values(connection, connection.jwt_payload)
    token = schemes.json_web_token(
        _filled_json(_object(connection.jwt_payload), known),
        algorithm=algorithm,
        key=key,
        headers=_object(connection.jwt_headers or "{}"),
    )
    _put(outgoing, "Authorization", f"Bearer {token}")


def _object(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise SchemeError("payload_unreadable")
    return parsed


def _filled_json(value: Any, known: dict[str, str]) -> Any:
    """The same value with the placeholders inside its texts filled: after parsing, so that no value can break out of its text."""
    if isinstance(value, dict):
        return {name: _filled_json(inner, known) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled_json(inner, known) for inner in value]
    return filled(value, known) if isinstance(value, str) else value


def _custom(connection: Connection, outgoing: Outgoing) -> None:
    rows = [*connection.custom_headers, *connection.custom_query, *connection.custom_body]
    known, _ = custom_values(connection, *(text for _, text in rows))
    for name, text in connection.custom_headers:
        _put(outgoing, name, filled(text, known))
    outgoing.params += [(name, filled(text, known)) for name, text in connection.custom_query]
    if connection.custom_body:
        _put_in_body(connection, outgoing, [(name, filled(text, known)) for name, text in connection.custom_body])


SIGNERS: dict[str, Callable[[Connection, Outgoing], None]] = {
    AuthType.BASIC: _basic,
    AuthType.DIGEST: _digest,
    AuthType.WSSE: _wsse,
    AuthType.OAUTH1: _oauth1,
    AuthType.JWT: _jwt,
    AuthType.CUSTOM: _custom,
}
