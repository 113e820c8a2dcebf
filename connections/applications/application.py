"""What one provider needs, as data: an `Application` and the small values it is made of. No Django, no network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

RegionSlug = Literal["na", "eu", "fe"]
Action = Literal["authorize", "edit_client", "edit_connection", "wait", "test", "none"]
Where = Literal["consent", "token", "call"]

# One absolute URL in plain ASCII: no credentials, backslash, blank, control character or fragment can match.
_ABSOLUTE_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?(?:[/?][!\"$-\[\]-~]*)?", re.I
)
_QUOTES = "\"'`“”„‘’«»"
_INVISIBLE = "\u200b\u200e\u200f\u2060\ufeff"


@dataclass(frozen=True, kw_only=True)
class Region:
    slug: RegionSlug
    name: str
    base_uri: str
    sandbox_base_uri: str
    aws_region: str  # information only: calls have not been signed with AWS keys since October 2023


@dataclass(frozen=True, kw_only=True)
class Marketplace:
    code: str  # two letters as Amazon writes them: UK, not GB
    id: str
    name: str
    region: RegionSlug
    host: str | None  # where people of this application sign in; None: not known
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Choice:
    value: str
    label: str


@dataclass(frozen=True, kw_only=True)
class TokenPlacement:
    location: Literal["header", "query", "body"]
    name: str
    prefix: str  # "" sends the bare token


@dataclass(frozen=True, kw_only=True)
class SdkCall:
    """The same call with Amazon's own SDK for Python (amzn-sp-api), as it stands in a program."""

    module: str
    api: str  # its class
    call: str  # may use datetime, timedelta and timezone


@dataclass(frozen=True, kw_only=True)
class TestCall:
    """The request that proves a connection, relative to its base URI.

    With an empty method there is none to send: getting a token is all the proof there is.
    """

    __test__ = False  # the name means something else to pytest

    method: str
    path: str  # with query; `{created_after}` and `{created_before}` stand for a window of just under seven days
    note: str
    sdk: SdkCall | None = None

    def resolve(self, now: datetime) -> str:
        """The path with its window filled in, ISO 8601 in UTC, ending at `now` (aware)."""
        now = now.astimezone(UTC)
        # Amazon refuses more than seven days; the minute is for clocks that disagree.
        after, before = now - timedelta(days=7) + timedelta(minutes=1), now
        written = {"{created_after}": after, "{created_before}": before}
        path = self.path
        for placeholder, moment in written.items():
            path = path.replace(placeholder, moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
        return path


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What went wrong, in the provider's own words, or in one of our transport codes with no status."""

    error: str
    description: str = ""  # the provider's error_description; for a call, the API's details or message
    status: int | None = None
    request_id: str | None = None
    where: Where


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Three sentences for a person, and the button that fits them."""

    title: str  # what happened
    meaning: str  # what that means at this provider
    next_step: str  # what to press
    action: Action


def explained(title: str, meaning: str, next_step: str, action: Action) -> Explanation:
    return Explanation(title=title, meaning=meaning, next_step=next_step, action=action)


def plain(name: str) -> str:
    """An error name without case and punctuation, so that `ServerError` and `server_error` are one."""
    return "".join(character for character in name.casefold() if character.isalnum())


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One row of a table of explanations. Every condition given must hold; a condition left out always does."""

    explanation: Explanation
    where: tuple[Where, ...] = ()
    errors: tuple[str, ...] = ()  # any of these names
    statuses: tuple[int, int] | None = None  # first and last
    says: tuple[str, ...] = ()  # any of these texts inside the description
    silent: bool = False  # there is no description
    unanswered: bool = False  # there is no status

    def matches(self, failure: Failure) -> bool:
        description = " ".join(failure.description.casefold().split())
        if self.where and failure.where not in self.where:
            return False
        if self.errors and plain(failure.error) not in {plain(name) for name in self.errors}:
            return False
        if self.statuses and not (failure.status and self.statuses[0] <= failure.status <= self.statuses[1]):
            return False
        if self.says and not any(text.casefold() in description for text in self.says):
            return False
        return not (self.silent and description) and not (self.unanswered and failure.status is not None)


@dataclass(frozen=True, kw_only=True)
class Application:
    slug: str
    name: str
    summary: str
    keywords: tuple[str, ...] = ()
    vendor: Literal["Amazon", ""] = ""
    consent: Literal["standard", "spapi"] = "standard"
    hint: str = ""  # one more sentence for the pane, e.g. the simulator's public secret

    initial: Mapping[str, str]  # first values of the pane, by form field name
    regions: tuple[Region, ...] = ()
    marketplaces: tuple[Marketplace, ...] = ()
    authorization_url_template: str = ""  # `{host}` stands for the marketplace's host
    token_hosts: tuple[str, ...] = ()  # host[:port] that a client's secret may be posted to; () until one is typed

    code_param: Literal["code", "spapi_oauth_code"] = "code"
    identity_param: Literal["", "selling_partner_id"] = ""
    placement: TokenPlacement = TokenPlacement(location="header", name="Authorization", prefix="Bearer")
    user_agent: bool = False  # send the form `App/1.0 (Language=…; Platform=…)`
    asks_application_id: bool = False
    offers_paste: bool = True
    offers_draft: bool = False  # a switch for version=beta
    https_redirect_only: bool = False
    rotates_refresh_tokens: bool = True  # a refresh may bring a new refresh token

    client_id_prefixes: tuple[str, ...] = ()
    client_secret_prefixes: tuple[str, ...] = ()  # of the present form; older secrets have none
    application_id_prefixes: tuple[str, ...] = ()
    refresh_token_prefix: str = ""
    access_token_prefix: str = ""
    refresh_token_max_bytes: int = 8192

    scopes: tuple[Choice, ...] = ()
    login_hosts: tuple[
        str, ...
    ] = ()  # domains, their subdomains included, that amazon_callback_uri may be on, by https
    login_origins: tuple[str, ...] = ()  # and whole origins, exactly as written
    authorization_lifetime_days: int | None = None
    client_secret_lifetime_days: int | None = None

    call: TestCall = TestCall(method="GET", path="", note="")
    sandbox_call: TestCall | None = None
    grantless_calls: Mapping[str, TestCall] = field(
        default_factory=dict
    )  # client credentials, by scope; "" for any other
    rules: tuple[Rule, ...]  # the first that matches explains; the last ones match everything

    def region(self, slug: str) -> Region | None:
        return next((region for region in self.regions if region.slug == slug), None)

    def marketplace(self, code: str) -> Marketplace | None:
        return next((marketplace for marketplace in self.marketplaces if marketplace.code == code), None)

    def marketplaces_in(self, region: str) -> tuple[Marketplace, ...]:
        return tuple(marketplace for marketplace in self.marketplaces if marketplace.region == region)

    def base_uri(self, region: str, sandbox: bool = False) -> str:
        """The region's base URI; the first value of the pane where the application knows no such region."""
        found = self.region(region)
        if not found:
            return self.initial.get("base_uri", "")
        return found.sandbox_base_uri if sandbox else found.base_uri

    def base_uri_presets(self, region: str) -> tuple[Choice, ...]:
        """Production and sandbox, or the one base URI that stands for both."""
        found = self.region(region)
        if not found:
            return ()
        if found.base_uri == found.sandbox_base_uri:
            return (Choice(value=found.base_uri, label=self.name),)
        return (Choice(value=found.base_uri, label="Production"), Choice(value=found.sandbox_base_uri, label="Sandbox"))

    def authorization_url(self, marketplace_code: str) -> str:
        """Where the browser is sent to ask for consent; "" where no host is known and a person has to fill it in."""
        if "{host}" not in self.authorization_url_template:
            return self.authorization_url_template
        found = self.marketplace(marketplace_code)
        return self.authorization_url_template.replace("{host}", found.host) if found and found.host else ""

    def consent_params(
        self,
        *,
        application_id: str,
        client_id: str,
        redirect_uri: str,
        state: str,
        draft: bool,
        scope: str,
        code_challenge: str,
        code_challenge_method: str,
        extra: Mapping[str, str],
    ) -> dict[str, str]:
        """The query of the authorization URL (RFC 6749 §4.1.1, RFC 7636 §4.3; Amazon's website authorization workflow).

        `extra` is what a person added in the pane; it never replaces a parameter the flow depends on.
        """
        if self.consent == "spapi":
            ours = {"application_id": application_id, "state": state, "redirect_uri": redirect_uri}
            if draft:
                ours["version"] = "beta"
        else:
            ours = {
                "response_type": "code",
                "client_id": client_id,
                "redirect_uri": redirect_uri,
                "scope": scope,
                "state": state,
                "code_challenge": code_challenge,
                "code_challenge_method": code_challenge_method if code_challenge else "",
            }
        ours = {name: value for name, value in ours.items() if value}
        return ours | {name: value for name, value in extra.items() if name not in ours}

    def test_call(self, *, grant_type: str, base_uri: str, scope: str) -> TestCall:
        """The call that shows the token works; for client credentials by scope, since such a token reads no account."""
        if grant_type == "client_credentials" and self.grantless_calls:
            known = (self.grantless_calls[name] for name in scope.split() if name in self.grantless_calls)
            return next(known, self.grantless_calls[""])
        if self.sandbox_call and self._is_sandbox(base_uri):
            return self.sandbox_call
        return self.call

    def _is_sandbox(self, base_uri: str) -> bool:
        host = host_of(base_uri)
        production = {host_of(region.base_uri) for region in self.regions}
        return host not in production and host in {host_of(region.sandbox_base_uri) for region in self.regions}

    def explain(self, failure: Failure) -> Explanation:
        return next(rule.explanation for rule in self.rules if rule.matches(failure))

    def allows_login_callback(self, url: str) -> bool:
        """Whether `amazon_callback_uri`, which comes from the browser, may be followed with our state on it."""
        match = _ABSOLUTE_URL.fullmatch(url)
        if not match:
            return False
        scheme, host, port = match["scheme"].lower(), match["host"].lower(), match["port"]
        if (f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}") in self.login_origins:
            return True
        if scheme != "https" or port not in (None, "443"):
            return False
        return any(host == domain or host.endswith("." + domain) for domain in self.login_hosts)

    def notices_client(
        self, *, client_id: str, client_secret: str = "", application_id: str = ""
    ) -> list[tuple[str, str]]:
        """Warnings about a client as it was typed: (field, sentence). None need stop a save, none repeats a value."""
        notices = []
        client_id, application_id, secret = client_id.strip(), application_id.strip(), client_secret.strip()
        if client_id and self.client_id_prefixes and not client_id.startswith(self.client_id_prefixes):
            notices.append(("client_id", self._what_was_typed(client_id, "Client ID", self.client_id_prefixes)))
        if (
            application_id
            and self.application_id_prefixes
            and not application_id.startswith(self.application_id_prefixes)
        ):
            sentence = self._what_was_typed(application_id, "Application ID", self.application_id_prefixes)
            notices.append(("application_id", sentence))
        if secret and self.client_secret_prefixes:
            if secret[0] in _QUOTES or secret[-1] in _QUOTES:
                notices.append(
                    ("client_secret", "The client secret has quotation marks around it. Enter it without them.")
                )
            # Secrets of the older form have no prefix, so only what is surely something else is worth a word.
            elif named := self._name_of(secret, but="client secret"):
                notices.append(("client_secret", f"This looks like {named}, not a client secret."))
            elif any(prefix and prefix in secret for prefix in (self.refresh_token_prefix, self.access_token_prefix)):
                notices.append(
                    ("client_secret", "There is a token inside this client secret. Copy the secret again, by itself.")
                )
        return notices

    def _what_was_typed(self, value: str, label: str, prefixes: tuple[str, ...]) -> str:
        named = self._name_of(value, but=label)
        expected = " or ".join(prefix.rstrip(".") for prefix in prefixes)
        begins = f"{'An' if label[0] == 'A' else 'A'} {label} begins with {expected}."
        return f"This looks like {named}. {begins}" if named else f"{begins} Check that the whole of it was copied."

    def _name_of(self, value: str, *, but: str) -> str:
        """What a pasted value is by its prefix, with its article; "" when the prefix says nothing."""
        kinds = {
            "a Client ID": self.client_id_prefixes,
            "a client secret": self.client_secret_prefixes,
            "an Application ID": self.application_id_prefixes,
            "a refresh token": (self.refresh_token_prefix,),
            "an access token": (self.access_token_prefix,),
        }
        return next(
            (
                kind
                for kind, prefixes in kinds.items()
                if not kind.endswith(but) and any(p and value.startswith(p) for p in prefixes)
            ),
            "",
        )

    def check_refresh_token(self, text: str) -> tuple[str, str]:
        """A pasted refresh token as (cleaned, error). The error is "" when all is well, and never repeats the token."""
        token = text.strip().strip(_INVISIBLE).strip()
        if self.refresh_token_prefix:
            token = token.strip(_QUOTES + _INVISIBLE + " \t\r\n,;\u00a0")
        error = ""
        if text.strip() and self.refresh_token_prefix:
            error = self._refresh_token_error(token)
        if not error and len(token.encode()) > self.refresh_token_max_bytes:
            error = (
                f"This is longer than a refresh token can be ({self.refresh_token_max_bytes} bytes). Copy it by itself."
            )
        return token, error

    def _refresh_token_error(self, token: str) -> str:
        prefix = self.refresh_token_prefix
        if self.access_token_prefix and token.startswith(self.access_token_prefix):
            return (
                f"That is an access token, which ends after an hour. Paste the refresh token: it begins with {prefix}."
            )
        if not token.startswith(prefix):
            return f"A refresh token of {self.vendor or self.name} begins with {prefix}. Was all of it copied?"
        if any(character.isspace() for character in token):
            return "There is a blank or a line break inside this token. Copy it again in one piece."
        return ""


def host_of(url: str) -> str:
    """host[:port] of a URL in lower case; "" where there is none."""
    try:
        return urlsplit(url.strip()).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""
