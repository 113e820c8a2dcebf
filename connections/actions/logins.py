"""Logins: the requests by which a connection without OAuth 2.0 gets its cookie, or a new token. And the secrets for them.

`grants` keeps what they bring, and sees to it that one is under way at a time. A cookie request goes to the host of its URL
only, a token request to that of its own: when one of them moves to another host, the stored secrets are dropped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from connections import outbound
from connections.actions import connections
from connections.actions.errors import Code, GrantError, problem
from connections.models import Connection, Grant
from connections.models.choices import AuthType, FetchMethod
from connections.oauth import paths, placeholders, schemes
from connections.oauth.errors import OAuthError, from_answer, from_outbound
from connections.oauth.tokens import TokenPaths, Tokens, decode, parse
from connections.outbound import OutboundError
from connections.sealing import Sealed, SealError

# How a failure's description begins; applications/state_errors.py explains by it which address is meant.
COOKIE, TOKEN = "Cookie request to ", "Token request to "
# Seconds. A token whose answer names no end is kept until the API refuses it.
NO_END = 365 * 86400
# What decides how a login is made.
SETTINGS = (
    "auth_type", "media_type", "success_media_type", "fields", "encrypted_field_names",
    "cookie_method", "cookie_url", "cookie_body", "cookie_status",
    "token_refresh_method", "token_refresh_url", "token_refresh_headers", "token_refresh_body", "token_refresh_path",
)  # fmt: skip


class SchemeError(GrantError):
    """A request cannot be signed: a secret or a setting is missing, unreadable or unfit. `failure` says which."""

    def __init__(self, error: str, description: str = "", *, code: Code = "misconfigured") -> None:
        super().__init__(code, replace(problem(error), description=description))


def logs_in(connection: Connection) -> bool:
    """Whether what it sends comes from a request of its own: a cookie, or a token that can be renewed."""
    if connection.auth_type == AuthType.TOKEN:
        return bool(connection.token_refresh_url)
    return connection.auth_type == AuthType.COOKIE


def logs_in_as(connection: Connection, stored: Connection) -> bool:
    """Whether the typed values log in just as the saved ones do, and send the result to the same host."""
    if any(getattr(connection, name) != getattr(stored, name) for name in SETTINGS):
        return False
    if connections.places(connection) != connections.places(stored):
        return False
    return all(same(getattr(connection, name), getattr(stored, name)) for name in ("token", "encrypted_fields"))


def same(one: Sealed | None, other: Sealed | None) -> bool:
    """Whether both are the one stored secret, told by what is stored."""
    return one is other or (one is not None and other is not None and None is not one.token == other.token)


def fetch(connection: Connection, grant: Grant | None) -> Tokens:
    """Log in, or ask for a new token. `grant` holds the token renewed last.

    Raises SchemeError before anything is sent, OAuthError after.
    """
    if connection.auth_type == AuthType.COOKIE:
        return _cookie(connection)
    return _token(connection, grant)


def _cookie(connection: Connection) -> Tokens:
    has_body = connection.cookie_method != FetchMethod.GET and connection.cookie_body
    kind = schemes.look(connection.cookie_body, connection.media_type)
    known, hidden = custom_values(connection, connection.cookie_body if has_body else "")
    body = filled(connection.cookie_body, known, quote=schemes.quoting(kind)) if has_body else ""
    caught = schemes.CookieCatcher()
    answer = _send(
        COOKIE,
        connection,
        connection.cookie_method,
        connection.cookie_url,
        headers={"Content-Type": kind} if body else {},
        body=body,
        auth=caught,
    )
    wanted = [part.strip() for part in connection.cookie_status.split(",") if part.strip()]
    if str(answer.status) not in wanted if wanted else not 200 <= answer.status < 400:
        raise _refused(COOKIE, answer, hidden)
    if not caught.header:
        raise OAuthError("no_cookie", f"{COOKIE}{answer.host}: the answer sets no cookie.", status=None)
    return Tokens(access_token=caught.header, token_type="Cookie", expires_in=caught.seconds(time.time()))  # noqa: S106


def _token(connection: Connection, grant: Grant | None) -> Tokens:
    templates = [text for _, text in connection.token_refresh_headers]
    has_body = connection.token_refresh_method != FetchMethod.GET and connection.token_refresh_body
    templates += [connection.token_refresh_body] if has_body else []
    known, hidden = custom_values(connection, *templates)
    if "token" in used(*templates):
        known["token"] = opened((grant and grant.access_token) or connection.token)  # to the token request's own host
        hidden.append(known["token"])
    headers = {name: header_value(name, filled(text, known)) for name, text in connection.token_refresh_headers}
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    kind = kind or schemes.look(connection.token_refresh_body, connection.media_type)
    body = filled(connection.token_refresh_body, known, quote=schemes.quoting(kind)) if has_body else ""
    answer = _send(
        TOKEN,
        connection,
        connection.token_refresh_method,
        connection.token_refresh_url,
        headers=({"Content-Type": kind} if body else {}) | headers,
        body=body,
    )
    return _read_token(connection, answer, hidden)


def _read_token(connection: Connection, answer: outbound.Answer, hidden: list[str]) -> Tokens:
    if not 200 <= answer.status < 300:
        raise _refused(TOKEN, answer, hidden)
    where, found = connection.token_refresh_path, ""
    if (connection.success_media_type or connection.media_type) == "xml":
        found = paths.read(answer.body, "xml", where) or ""
        tokens = Tokens(found)
    else:
        try:
            content_type = answer.headers.get("Content-Type", "")
            tokens = parse(answer.body, content_type, answer.status, paths=TokenPaths(access_token=where))
            found = tokens.access_token
        except OAuthError:
            pass  # an `error`, no JSON, or nothing at the path
    if not found:
        raise OAuthError("no_renewed_token", f"{TOKEN}{answer.host}: the answer holds no {where}.")
    return replace(tokens, refresh_token=None, scope=None, expires_in=tokens.expires_in or NO_END)


def _send(
    what: str,
    connection: Connection,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: str,
    auth: schemes.CookieCatcher | None = None,
) -> outbound.Answer:
    from connections.actions import recordings  # which are built on this module
    from connections.actions.outgoing import identity

    accept = "application/xml" if connection.media_type == "xml" else "application/json, */*"
    try:
        answer = outbound.request(
            method,
            url,
            headers={"Accept": accept, **headers},
            data=body.encode() or None,
            auth=auth,
            redirects="return" if auth else "refuse",
            client=identity(connection, url),
        )
        sent = body.encode()
        recordings.token_request(connection, method, url, answer.status, answer.ms, sent=sent, received=answer.body)
        return answer
    except OutboundError as error:
        plain = from_outbound(error)
    raise OAuthError(plain.error, what + plain.description, code=plain.code)


def _refused(what: str, answer: outbound.Answer, hidden: Iterable[str]) -> OAuthError:
    """One error for every refusal, whatever the provider calls it: there is no grant or client here that could be at fault."""
    fields = decode(answer.body, answer.headers.get("Content-Type", "")) or {}
    said = from_answer(answer.status, answer.headers, fields, hidden)
    return OAuthError(
        "login_refused",
        f"{what}{answer.host}: {said.description or f'HTTP {answer.status}'}",
        status=answer.status,
        request_id=said.request_id,
        retry_after=said.retry_after,
    )


def opened(sealed: Sealed | None) -> str:
    """A secret in clear. Raises SchemeError."""
    if sealed is None:
        raise SchemeError("secret_missing")
    try:
        return sealed.reveal()  # each caller says where it goes
    except SealError:
        raise SchemeError("secret_unreadable", code="secret_unreadable") from None


def used(*templates: str) -> set[str]:
    return {name for template in templates for name in placeholders.names(template)}


def custom_values(connection: Connection, *templates: str) -> tuple[dict[str, str], list[str]]:
    """What the templates may hold, by placeholder; and those of the values that are secret. Opens none that is not used."""
    known = {f"field.{name}": text for name, text in connection.fields}
    if not any(name.startswith("encrypted.") for name in used(*templates)):
        return known, []
    try:
        secret = {f"encrypted.{name}": text for name, text in connections.encrypted_fields(connection).items()}
    except SealError:
        raise SchemeError("custom_fields_unreadable", code="secret_unreadable") from None
    return known | secret, [*secret.values()]


def filled(template: str, known: Mapping[str, str], *, quote: Callable[[str], str] = str) -> str:
    """Raises SchemeError where a placeholder has no value."""
    try:
        return placeholders.fill(template, known, quote=quote)
    except placeholders.PlaceholderError as error:
        name = error.name
    raise SchemeError("placeholder_missing", f"{{{{ {name} }}}} has no value.")


def header_value(name: str, value: str) -> str:
    """The value, if it can stand in a header. Raises SchemeError."""
    if value.isascii() and value.isprintable():
        return value
    raise SchemeError("placeholder_unusable", f"What is put into {name} holds a line break or is not plain ASCII.")
