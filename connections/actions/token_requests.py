"""Token requests: what a connection's OAuth 2.0 settings make of each request, and the one place that says which goes where.

A code exchange and client credentials are made with the access token request's headers and body, a refresh and a revocation
each with their own. Templates are filled when a request is made, so that a secret is opened only for a request that carries it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from django.conf import settings

from connections import outbound
from connections.actions import clients, connections, outgoing, recordings
from connections.actions.errors import GrantError, SecretHostError, problem
from connections.applications import Failure
from connections.models import Connection, OAuthClient
from connections.models.choices import GrantType
from connections.oauth import authorize, exchange, placeholders
from connections.oauth import refresh as oauth_refresh
from connections.oauth import revoke as oauth_revoke
from connections.oauth.endpoint import TokenEndpoint
from connections.oauth.errors import OAuthError, from_outbound
from connections.oauth.tokens import TokenPaths, Tokens
from connections.sealing import SealError

Request = Literal["token", "refresh", "revoke"]
TokenKind = Literal["refresh_token", "access_token"]
Rows = list[list[str]]

# Everything that shapes how a token is asked for: who changes one of these asks otherwise.
SETTINGS = (
    "auth_type", "grant_type", "token_url", "client_authentication", "scope", "oauth_client_id", "scope_delimiter",
    "token_headers", "token_body", "refresh_headers", "refresh_body", "fields", "encrypted_field_names",
    "access_token_path", "refresh_token_path", "expires_in_path",
)  # fmt: skip

REDIRECT_PATH = "/oauth/callback/"
DEADLINE = outbound.DEADLINE  # seconds
MILLISECONDS = " ms"  # behind the path to the expiry
# What an authorization is safe by; a blank row does not take it out.
KEPT = frozenset({"state", "code_challenge", "code_challenge_method"})
PUBLIC = frozenset({"client_id", "redirect_uri"})  # placeholders that stand for no secret, as custom fields do


def redirect_uri() -> str:
    """The one redirect URL, to be registered with the provider."""
    return f"{settings.PUBLIC_URL}{REDIRECT_PATH}"


def scope(connection: Connection) -> str:
    """The scopes as the provider wants them joined. They are typed with blanks between."""
    delimiter = connection.scope_delimiter or " "
    parts = [part.removesuffix(delimiter.strip()) for part in connection.scope.split()]
    return delimiter.join(part for part in parts if part)


def authorization_url(connection: Connection, *, redirect_uri: str, state: str, verifier: str) -> str:
    """The URL to send the browser to. Raises GrantError where a placeholder has no value, OutboundError for a URL that is none."""
    client = _client(connection)
    known = {"client_id": client.client_id, "redirect_uri": redirect_uri}
    extra, _ = _filled(connection, "authorization_params", known)
    method = connection.pkce if verifier else ""
    params = connection.provider.consent_params(
        application_id=client.application_id,
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        state=state,
        draft=connection.draft_application,
        scope=scope(connection),
        code_challenge=authorize.code_challenge(verifier, method) if method else "",
        code_challenge_method=method,
        extra=extra,
    )
    left_out = {name for name, value in extra.items() if not value} - KEPT
    params = {name: value for name, value in params.items() if name not in left_out}
    return authorize.authorization_url(connection.authorization_url, params)


def code_param(connection: Connection, query: Mapping[str, str]) -> str:
    """Under which name the code comes back: as the pane says, else the provider's own name, or plain `code` without that one."""
    if connection.code_param not in ("", "code"):
        return connection.code_param
    wanted = connection.provider.code_param
    return wanted if wanted in query else "code"


def exchange_code(
    connection: Connection, *, code: str, redirect_uri: str, verifier: str | None, query: Mapping[str, str]
) -> Tokens:
    """`query` is all that came with the callback. Raises GrantError before anything is sent, OAuthError after."""
    known = {"code": code, "redirect_uri": redirect_uri} | {f"query.{name}": text for name, text in query.items()}
    where = endpoint(connection, "token", known)
    return exchange.exchange_code(where, code=code, redirect_uri=redirect_uri, verifier=verifier)


def client_credentials(connection: Connection) -> Tokens:
    """Raises GrantError before anything is sent, OAuthError after."""
    return exchange.client_credentials(endpoint(connection, "token", {}), scope=scope(connection) or None)


def refresh(connection: Connection, *, refresh_token: str) -> Tokens:
    """Raises GrantError before anything is sent, OAuthError after."""
    where = endpoint(connection, "refresh", {"refresh_token": refresh_token})
    return oauth_refresh.refresh(where, refresh_token=refresh_token)


@dataclass(frozen=True)
class Revocation:
    """`ended` names the tokens that the provider ended; `refused` is why it did not end the other one, or none."""

    ended: tuple[TokenKind, ...]
    refused: OAuthError | None = None


def revoke(connection: Connection, tokens: Mapping[TokenKind, str]) -> Revocation:
    """Give `tokens` back in their order (RFC 7009): the refresh token first, since the access token should end with it.

    A kind that the provider cannot revoke may leave the other. Raises GrantError before anything is sent.
    """
    ended: list[TokenKind] = []
    refused = None
    for kind, token in tokens.items():
        where = endpoint(connection, "revoke", {"refresh_token": tokens.get("refresh_token", ""), "token": token})
        try:
            oauth_revoke.revoke(where, token=token, hint=kind)
            ended.append(kind)
        except OAuthError as error:
            refused = refused or error
            if error.error != "unsupported_token_type":
                break
    return Revocation(tuple(ended), refused)


def probe(connection: Connection) -> None:
    """Find out whether the provider accepts the client, by a made-up code. Raises GrantError or OAuthError where it does not."""
    exchange.probe_client(trial(connection), redirect_uri=redirect_uri(), grant_type=GrantType.AUTHORIZATION_CODE)


def trial(connection: Connection) -> TokenEndpoint:
    """The token endpoint with made-up values for what only a callback brings. Raises GrantError where anything else is missing."""
    rows: Rows = [*connection.token_headers, *connection.token_body]
    used = {name for _, template in rows for name in placeholders.names(template)}
    brought = {name for name in used if name == "code" or name.startswith("query.")}
    return endpoint(connection, "token", dict.fromkeys(brought, exchange.MADE_UP_CODE))


def endpoint(connection: Connection, request: Request, known: Mapping[str, str]) -> TokenEndpoint:
    """Where `request` goes and what it carries besides the protocol's own. `known` fills placeholders, by name.

    Raises GrantError where a secret is missing, unreadable or not for that host, or a placeholder has no value.
    """
    client = _client(connection)
    url = connection.revoke_url if request == "revoke" else connection.token_url
    _check_host(client, url)
    sealed = client.client_secret
    assert sealed is not None, "_client has looked"
    try:
        client_secret = sealed.reveal()  # to be posted to `url`, whose host is on the client's list
    except SealError:
        raise GrantError("secret_unreadable", problem("client_secret_unreadable")) from None
    values = {"client_id": client.client_id, "client_secret": client_secret, "redirect_uri": redirect_uri(), **known}
    headers, in_headers = _filled(connection, f"{request}_headers", values)
    body, in_body = _filled(connection, f"{request}_body", values)
    return TokenEndpoint(
        url=url,
        client_id=client.client_id,
        client_secret=client_secret,
        client_authentication="client_secret_basic"
        if connection.client_authentication == "client_secret_basic"
        else "client_secret_post",
        headers=headers,
        body=body,
        paths=_paths(connection),
        secrets=(*in_headers, *in_body),
        deadline=DEADLINE,
        identity=outgoing.identity(connection, url),
        observe=recordings.observer(connection),
    )


def _client(connection: Connection) -> OAuthClient:
    client = connection.oauth_client
    if client is None or client.client_secret is None:
        raise GrantError("client_rejected", problem("no_client"))
    return client


def _check_host(client: OAuthClient, url: str) -> None:
    """The host may have been taken off the client's list since the connection was saved."""
    try:
        clients.check_host(client, outbound.host_port(url))
    except SecretHostError as error:
        raise GrantError("misconfigured", Failure(error="secret_host", description=str(error), where="token")) from None
    except outbound.OutboundError as error:
        said = from_outbound(error)
        raise GrantError(
            "misconfigured", Failure(error=said.error, description=said.description, where="token")
        ) from None


def _paths(connection: Connection) -> TokenPaths:
    expiry, in_milliseconds = connection.expires_in_path, connection.expires_in_path.endswith(MILLISECONDS)
    return TokenPaths(
        access_token=connection.access_token_path or TokenPaths.access_token,
        refresh_token=connection.refresh_token_path or TokenPaths.refresh_token,
        expires_in=expiry.removesuffix(MILLISECONDS).strip() or TokenPaths.expires_in,
        expires_in_unit="milliseconds" if in_milliseconds else "seconds",
    )


def _filled(connection: Connection, setting: str, values: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The rows of one setting with their placeholders filled, and the secrets that are now in them.

    A blank value stays blank: it leaves the parameter out. A placeholder whose value is empty has none. Encrypted fields have
    none for the authorization URL, which browsers keep.
    """
    rows: Rows = getattr(connection, setting)
    used = {name for _, template in rows for name in placeholders.names(template)}
    wants_secrets = any(name.startswith("encrypted.") for name in used)
    opened = _encrypted(connection) if wants_secrets and setting != "authorization_params" else {}
    custom = {f"field.{name}": text for name, text in connection.fields}
    known = {name: text for name, text in {**values, **custom, **opened}.items() if text}
    try:
        filled = {name: placeholders.fill(template, known) for name, template in rows}
    except placeholders.PlaceholderError as error:
        raise _misfit(connection, "placeholder_missing", setting, f"{{{{ {error.name} }}}} has no value") from None
    if setting.endswith("_headers"):
        for name, text in filled.items():
            if not (text.isascii() and text.isprintable()):
                raise _misfit(connection, "placeholder_unusable", setting, f"{name} cannot be sent as a header")
    shown = {*PUBLIC, *custom}
    return filled, [text for name, text in known.items() if name in used - shown]


def _encrypted(connection: Connection) -> dict[str, str]:
    try:
        return {f"encrypted.{name}": text for name, text in connections.encrypted_fields(connection).items()}
    except SealError:
        raise GrantError("secret_unreadable", problem("custom_fields_unreadable")) from None


def _misfit(connection: Connection, error: str, setting: str, what: str) -> GrantError:
    label = connection._meta.get_field(setting).verbose_name  # type: ignore[union-attr]
    return GrantError("misconfigured", Failure(error=error, description=f"{label}: {what}.", where="token"))
