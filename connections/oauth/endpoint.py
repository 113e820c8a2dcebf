"""The token endpoint: who we are to it, and how a request reaches it (RFC 6749 §2.3, §3.2)."""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar
from urllib.parse import quote_plus, unquote, urlsplit

import requests
from oauthlib.oauth2 import Client, OAuth2Error
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict
from requests_oauthlib import OAuth2Session

from connections import outbound
from connections.oauth.errors import DOTS, OAuthError, from_outbound
from connections.oauth.tokens import TokenPaths, Tokens, parse

FORM = "application/x-www-form-urlencoded;charset=UTF-8"
UNUSABLE = (OAuth2Error, Warning, requests.RequestException, ValueError)
# Pages on which a person signs in or consents: Login with Amazon's, and Seller and Vendor Central's.
PAGES = (["ap", "oa"], ["apps", "authorize"])
Given = TypeVar("Given")


@dataclass(frozen=True, kw_only=True)
class TokenEndpoint:
    """A token URL, or revocation URL, and the client that calls it.

    `client_secret` None means a public client (RFC 6749 §2.1). `headers` and `body` are added to each request and win
    over what would be sent otherwise; a blank value leaves that header or parameter out. A `client_secret` in `body`
    takes the place of the Basic header, since a request has one way of client authentication (RFC 6749 §2.3). `secrets`
    are further texts to keep out of errors. `deadline` in seconds for a whole call. `identity` is a TLS client certificate
    (RFC 8705 §2); `observe` is told of each answer.
    """

    url: str
    client_id: str
    client_secret: str | None = None
    client_authentication: Literal["client_secret_post", "client_secret_basic"] = "client_secret_post"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] = field(default_factory=dict)
    paths: TokenPaths = field(default_factory=TokenPaths)
    secrets: tuple[str, ...] = ()
    deadline: float = outbound.DEADLINE
    identity: outbound.Identity | None = None
    observe: Callable[[requests.Response], None] | None = None

    def __repr__(self) -> str:
        return f"TokenEndpoint({self.url.partition('?')[0]!r}, client_id={self.client_id!r}, client_secret={DOTS})"

    def session(self, client: Client, *, secrets: Iterable[str] = (), **fields: str | None) -> "TokenSession":
        """A session for one call. `fields` go into the body, None left out; `secrets` are kept out of errors.

        Raises OAuthError("sign_in_page") when the URL is a page for people: a secret is never posted there. Also where
        `identity` cannot be used.
        """
        if is_sign_in_page(self.url):
            raise OAuthError(
                "sign_in_page",
                "This is an Amazon page for signing in or consenting. "
                "Tokens come from https://api.amazon.com/auth/o2/token.",
            )
        try:
            return TokenSession(self, client, secrets=secrets, fields=fields)
        except outbound.OutboundError as exc:  # a client certificate and a key that do not fit together
            error = from_outbound(exc)
        raise error


class TokenSession(OAuth2Session):
    """requests-oauthlib's session, guarded, with our reading of the answer in place of oauthlib's."""

    def __init__(
        self, endpoint: TokenEndpoint, client: Client, *, secrets: Iterable[str], fields: Mapping[str, str | None]
    ) -> None:
        super().__init__(client=client)
        outbound.guard(self, deadline=endpoint.deadline, client=endpoint.identity)
        if observe := endpoint.observe:
            self.hooks["response"].append(lambda response, **_: observe(response))
        self._endpoint = endpoint
        self._fields = {name: value for name, value in fields.items() if value is not None}
        # Short values of extra headers and fields are words such as "json" or "offline", not credentials.
        extra = [value for value in (*endpoint.headers.values(), *endpoint.body.values()) if len(value) >= 8]
        basic = self._basic.value if self._basic else ""
        self.secrets = [endpoint.client_secret or "", basic, *extra, *endpoint.secrets, *secrets]
        self._tokens: Tokens | None = None
        # The hooks get the raw answer before oauthlib does.
        self.register_compliance_hook("access_token_response", self._read)
        self.register_compliance_hook("refresh_token_response", self._read)

    def fetch(self, *, code: str | None = None, redirect_uri: str | None = None, verifier: str | None = None) -> Tokens:
        """The library's fetch_token. Raises OAuthError."""
        self.redirect_uri = redirect_uri
        proof: dict[str, Any] = {"code_verifier": verifier} if verifier else {}
        return self._obtain(
            lambda: self.fetch_token(
                self._url_as_https,
                code=code,
                auth=self._basic,
                include_client_id=self._basic is None,
                client_secret=self._endpoint.client_secret,
                **proof,
            )
        )

    def renew(self, refresh_token: str) -> Tokens:
        """The library's refresh_token. Raises OAuthError."""
        return self._obtain(
            lambda: self.refresh_token(
                self._url_as_https, refresh_token=refresh_token, auth=self._basic, **self._client_fields
            )
        )

    def submit(self, fields: Mapping[str, str]) -> requests.Response:
        """Post `fields` and the client's credentials; the answer as it came. Raises OAuthError."""
        return self._run(
            lambda: self.request("POST", self._endpoint.url, {**self._client_fields, **fields}, auth=self._basic)
        )

    def request(  # type: ignore[override]
        self, method: str, url: str, data: Mapping[str, str] | None = None, headers: Any = None, **kwargs: Any
    ) -> requests.Response:
        """Send to the endpoint. The inherited method would add an access token, and log what it sends."""
        kwargs.pop("withhold_token", None)
        sent: CaseInsensitiveDict[str | None] = CaseInsensitiveDict(
            {"Accept": "application/json", "Content-Type": FORM}
        )
        # None, unlike an absent header, keeps the session from sending one of its own.
        sent.update({name: value or None for name, value in self._endpoint.headers.items()})
        if "Authorization" in sent:
            kwargs["auth"] = None  # it would overwrite that header
        fields = {**(data or {}), **self._fields, **self._endpoint.body}
        fields = {name: value for name, value in fields.items() if value or name not in self._endpoint.body}
        # Some providers take nothing but JSON.
        kwargs["json" if "json" in (sent["Content-Type"] or "").lower() else "data"] = fields
        return requests.Session.request(self, method, self._endpoint.url, headers=sent, **kwargs)

    @property
    def _url_as_https(self) -> str:
        """The endpoint's URL as the library wants to see it.

        requests-oauthlib takes https only, unless OAUTHLIB_INSECURE_TRANSPORT is set, and that would lift the rule for
        every user of oauthlib in the process. Plain http is the guard's decision here, host by host; so the library is
        shown https, and `request` sends to the real URL.
        """
        return re.sub(r"^http:", "https:", self._endpoint.url, flags=re.IGNORECASE)

    @property
    def _basic(self) -> "_Basic | None":
        # A public client has nothing to put into Basic; it names itself in the body (RFC 6749 §3.2.1).
        if self._endpoint.client_authentication == "client_secret_post" or self._endpoint.client_secret is None:
            return None
        if self._endpoint.body.get("client_secret"):
            return None
        return _Basic(self._endpoint.client_id, self._endpoint.client_secret)

    @property
    def _client_fields(self) -> dict[str, Any]:
        if self._basic:
            return {}
        secret = self._endpoint.client_secret
        return {"client_id": self._endpoint.client_id} | ({} if secret is None else {"client_secret": secret})

    def _obtain(self, ask: Callable[[], object]) -> Tokens:
        self._run(ask)
        assert self._tokens, "the library calls the hook for each answer"
        return self._tokens

    def _run(self, ask: Callable[[], Given]) -> Given:
        try:
            return ask()
        except outbound.OutboundError as exc:
            error = from_outbound(exc)
        except UNUSABLE:
            error = OAuthError("broken_answer", "The request could not be made or its answer not be read.")
        # Raised out here, so that the original, which may quote the request, is not kept as context.
        raise error

    def _read(self, response: requests.Response) -> requests.Response:
        self._tokens = parse(
            response.content,
            response.headers.get("Content-Type", ""),
            response.status_code,
            paths=self._endpoint.paths,
            headers=response.headers,
            secrets=self.secrets,
        )
        # oauthlib parses once more, and stumbles over much that is parsed above (nested tokens, "3600.0", a scope that
        # differs); so it gets a plain answer, without the tokens it would keep and log.
        stand_in = requests.Response()
        stand_in.status_code = 200
        stand_in._content = b'{"access_token": "-", "token_type": "Bearer"}'
        return stand_in


def is_sign_in_page(url: str) -> bool:
    """Whether `url` is a page on which a person signs in or consents at Amazon, on whatever host: …/ap/oa and the
    consent pages. The token URL field says so; nothing is ever posted there."""
    path = unquote(urlsplit(url).path).lower().partition(";")[0]
    return [part for part in path.split("/") if part][:2] in PAGES


class _Basic(AuthBase):
    """RFC 6749 §2.3.1: id and secret are form-encoded before they go into the Basic header, unlike in requests."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
        self.value = base64.b64encode(pair.encode()).decode()

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers["Authorization"] = f"Basic {self.value}"
        return r
