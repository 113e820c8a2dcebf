"""The pane: which fields a connection has, in which sections, what they take, and what they are filled with first."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings

from connections import applications, outbound
from connections.applications import Application
from connections.forms.fields import HeadersField, IdField, LineField, MarkField, SecretField, UrlField, VersionField
from connections.models import Actor, Connection, OAuthClient
from connections.models.connections import AuthType, GrantType
from connections.oauth import authorize
from connections.outbound import OutboundError

SECTIONS: dict[str, tuple[str, ...]] = {
    "General": ("name", "region", "marketplace"),
    "Application details": ("base_uri", "media_type", "headers"),
    "Authentication": ("auth_type",),
    "OAuth 2.0": (
        "oauth_client", "grant_type", "client_authentication", "authorization_url", "draft_application", "scope", "pkce",
        "token_url", "refresh_token",
    ),
    "How to test this connection": ("ping_method", "ping_path", "ping_body"),
}  # fmt: skip
OAUTH2 = set(SECTIONS["OAuth 2.0"])
CODE_ONLY = {"authorization_url", "pkce", "refresh_token", "draft_application"}
# A change of one of these changes which fields there are, or what they are filled with.
SHAPING = ("region", "marketplace", "auth_type", "grant_type", "ping_method")
FILLED = ("base_uri", "authorization_url")


@dataclass(frozen=True)
class Section:
    title: str
    fields: list[forms.BoundField]

    @property
    def is_open(self) -> bool:
        return any(field.field.required or field.errors for field in self.fields)

    @property
    def error_count(self) -> int:
        return sum(bool(field.errors) for field in self.fields)


if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Connection]
else:
    ModelForm = forms.ModelForm


class ConnectionForm(ModelForm):
    """Bound to a post it validates; `shape` gives an unbound form of the fields that fit what was typed, nothing lost."""

    name = LineField(label="Name", max_length=100)
    base_uri = UrlField(label="Base URI", max_length=2000, help_text="Every call starts with it.")
    headers = HeadersField(
        label="HTTP headers", required=False, help_text="Sent with every call. Nothing secret: they are shown here."
    )
    authorization_url = UrlField(
        label="Authorization URL", max_length=2000, help_text="The provider’s page where you agree."
    )
    token_url = UrlField(
        label="Access token URL", max_length=2000, help_text="Where Gatehouse exchanges the code and refreshes tokens."
    )
    scope = LineField(label="Scope", max_length=2000, required=False, help_text="Separated by blanks.")
    ping_path = LineField(
        label="Relative URI",
        max_length=2000,
        required=False,
        help_text="Appended to the base URI. Empty: the usual call of this application.",
    )
    ping_body = forms.CharField(
        label="HTTP request body", required=False, max_length=100_000, widget=forms.Textarea(attrs={"rows": 4})
    )
    refresh_token = SecretField(
        label="I already have a refresh token",
        required=False,
        max_length=20_000,
        help_text="Paste it here instead of authorizing in the browser. It is tried, encrypted and never shown again.",
    )
    version = VersionField()
    id = IdField()
    filled_for = MarkField()  # region:marketplace that the URLs were filled for

    class Meta:
        model = Connection
        fields = [name for names in SECTIONS.values() for name in names if name != "refresh_token"]
        widgets = {"pkce": forms.Select, "region": forms.Select, "marketplace": forms.Select}

    def __init__(
        self, data: Any = None, *, by: Actor, application: Application, instance: Connection, **kwargs: Any
    ) -> None:
        super().__init__(data, instance=instance, **kwargs)
        self.by, self.application = by, application
        self.carried: dict[str, str] = {}  # typed in fields that do not apply now; kept for when they do again
        self._offer_choices()
        self._leave_out()
        self.initial.setdefault("id", instance.pk)
        self.initial.setdefault("version", instance.version)
        self.initial.setdefault("filled_for", f"{self._value('region')}:{self._value('marketplace')}")

    @classmethod
    def first_values(cls, application: Application, query: Mapping[str, str]) -> dict[str, Any]:
        """What a new pane starts with: the application's values, and over them the query string's. Secrets never."""
        known = [*cls.base_fields]
        given = {
            name: value
            for name, value in query.items()
            if name in known and name not in ("refresh_token", "version", "id", "filled_for")
        }
        values: dict[str, Any] = {**application.initial, **given}
        if "headers" in given:
            values["headers"] = cls.base_fields["headers"].widget.value_from_datadict(
                {"headers": given["headers"]}, {}, "headers"
            )
        values["draft_application"] = str(values.get("draft_application", "")).lower() in ("1", "true", "on", "yes")
        return values | _refilled(application, values, "", set(given))

    @classmethod
    def draft_names(cls) -> set[str]:
        """The names under which a pane posts what may be put aside in a session: all but secrets."""
        plain = {name for name, field in cls.base_fields.items() if not isinstance(field, SecretField)}
        return plain | {f"{name}_{part}" for name in plain for part in ("name", "value")}

    @classmethod
    def shape(cls, data: Any, *, by: Actor, application: Application, instance: Connection) -> ConnectionForm:
        """The pane for what is typed so far, not judged yet: fields follow the choices, region and marketplace fill the URLs."""
        typed: dict[str, Any] = {}
        for name, field in cls.base_fields.items():
            if name == "refresh_token" or (
                field.widget.value_omitted_from_data(data, {}, name) and name != "draft_application"
            ):
                continue
            typed[name] = field.widget.value_from_datadict(data, {}, name)
        typed |= _refilled(application, typed, str(typed.get("filled_for") or ""), set())
        if "marketplace" in typed:
            typed["filled_for"] = f"{typed.get('region', '')}:{typed['marketplace']}"
        if fill := data.get("fill"):  # a one-click value: field=value
            name, _, value = fill.partition("=")
            if name in ("base_uri", "authorization_url", "token_url", "scope"):
                typed[name] = value
        return cls(None, by=by, application=application, instance=instance, initial=typed)

    @property
    def provider(self) -> Application:
        """The application with what the addresses typed here tell of it."""
        return applications.recognise(
            self.application,
            base_uri=self._value("base_uri"),
            authorization_url=self._value("authorization_url"),
            simulator_url=settings.SIMULATOR_URL,
        )

    def _value(self, name: str) -> str:
        if self.is_bound and name in self.fields:
            return str(self.fields[name].widget.value_from_datadict(self.data, self.files, name) or "")
        return str(self.initial.get(name) or "")

    def _offer_choices(self) -> None:
        fields, application = self.fields, self.application
        regions = [(region.slug, region.name) for region in application.regions]
        fields["region"] = forms.ChoiceField(label="Region", choices=regions, help_text="Fills the base URI.")
        markets = [
            (market.code, f"{market.name} ({market.code})")
            for market in application.marketplaces_in(self._value("region"))
        ]
        chosen = application.marketplace(self._value("marketplace"))
        fields["marketplace"] = forms.ChoiceField(
            label="Marketplace", choices=markets, help_text=(chosen and chosen.note) or "Fills the authorization URL."
        )
        client = forms.ModelChoiceField(
            OAuthClient.objects.visible_to(self.by).order_by("name", "id"),
            label="OAuth 2.0 client",
            empty_label="Choose a client…",
        )
        client.error_messages["invalid_choice"] = "Choose one of your team’s clients."
        fields["oauth_client"] = client
        for name in ("grant_type", "client_authentication", "pkce"):
            field = fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.required = True
            field.choices = [choice for choice in field.choices if choice[0]]  # type: ignore[union-attr, misc, index]
        fields[
            "draft_application"
        ].help_text = (
            "Leave it on while the app is a draft, and for vendor authorizations that Amazon refuses otherwise."
        )
        if self.application.vendor:
            fields["scope"].help_text = (
                "Only for grant type Client credentials." if application.consent == "spapi" else "Separated by blanks."
            )

    def _leave_out(self) -> None:
        """Drop the fields that do not apply, remembering what was typed in them."""
        application = self.application
        is_oauth2 = self._value("auth_type") == AuthType.OAUTH2
        has_consent = is_oauth2 and self._value("grant_type") != GrantType.CLIENT_CREDENTIALS
        gone = {
            "region": not application.regions,
            "marketplace": not application.marketplaces or not has_consent,
            "draft_application": not self.provider.offers_draft,
            "refresh_token": not application.offers_paste,
            "ping_body": self._value("ping_method") not in ("POST", "PUT"),
            "scope": application.consent == "spapi" and has_consent,
        }
        gone |= {name: True for name in OAUTH2 if not is_oauth2}
        gone |= {name: True for name in CODE_ONLY if not has_consent}
        for name in (name for name, is_gone in gone.items() if is_gone):
            typed = self._value(name)
            if typed and name != "refresh_token":
                self.carried[name] = typed
            del self.fields[name]

    @property
    def sections(self) -> list[Section]:
        present = {title: [self[name] for name in names if name in self.fields] for title, names in SECTIONS.items()}
        return [Section(title, fields) for title, fields in present.items() if fields]

    @property
    def needs_consent(self) -> bool:
        """Whether "Save & authorize" will send somebody to the provider."""
        return "authorization_url" in self.fields

    @property
    def is_oauth2(self) -> bool:
        return "oauth_client" in self.fields

    @property
    def base_uri_presets(self) -> tuple[applications.Choice, ...]:
        return self.application.base_uri_presets(self._value("region"))

    @property
    def token_url_offer(self) -> str:
        """The token URL to offer where the sign-in page was typed; "" otherwise."""
        return applications.sign_in_page(self._value("token_url"), simulator_url=settings.SIMULATOR_URL)

    @property
    def scope_presets(self) -> tuple[applications.Choice, ...]:
        return self.provider.scopes

    @property
    def client(self) -> OAuthClient | None:
        """The client that is chosen, if it is one of the team's."""
        try:
            return OAuthClient.objects.visible_to(self.by).filter(pk=uuid.UUID(self._value("oauth_client"))).first()
        except ValueError:
            return None

    def clean_authorization_url(self) -> str:
        url: str = self.cleaned_data["authorization_url"]
        try:
            authorize.authorization_url(url, {})
        except OutboundError as error:
            raise forms.ValidationError(error.detail, code="invalid") from None
        return url

    def clean_token_url(self) -> str:
        url: str = self.cleaned_data["token_url"]
        if offer := applications.sign_in_page(url, simulator_url=settings.SIMULATOR_URL):
            raise forms.ValidationError(
                f"This is Amazon’s sign-in page, where a person signs in. Tokens come from {offer}.",
                code="sign_in_page",
            )
        return url

    def clean_refresh_token(self) -> str:
        token, error = self.provider.check_refresh_token(self.cleaned_data.get("refresh_token", ""))
        if error:
            raise forms.ValidationError(error, code="refresh_token")
        return token

    def clean_ping_path(self) -> str:
        path: str = self.cleaned_data["ping_path"]
        if (
            "://" in path
            or path.startswith(("//", "\\"))
            or "\\" in path
            or "#" in path
            or ".." in path.split("?")[0].split("/")
        ):
            raise forms.ValidationError(
                "Give only the part after the base URI, such as /v1/orders?limit=1.", code="path"
            )
        return path

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self._check_headers(cleaned)
        client = cleaned.get("oauth_client")
        if client and not (client.client_secret and client.client_secret.readable):
            self.add_error("oauth_client", "This client needs its secret again. Enter it with the pencil.")
        is_consent_unnamed = (
            self.needs_consent and self.provider.asks_application_id and not cleaned.get("refresh_token")
        )
        if client and is_consent_unnamed and not client.application_id:
            text = "This client has no Application ID, which Amazon’s consent page needs. Add it with the pencil."
            self.add_error("oauth_client", text)
        is_grantless = cleaned.get("grant_type") == GrantType.CLIENT_CREDENTIALS and self.provider.consent == "spapi"
        if is_grantless and not cleaned.get("scope") and "scope" not in self.errors:
            self.add_error("scope", "Amazon gives such tokens only for a scope. Choose one below.")
        if client and cleaned.get("token_url"):
            self._check_secret_host(client, cleaned["token_url"])
        return cleaned

    def _check_headers(self, cleaned: dict[str, Any]) -> None:
        placed = self.provider.placement.name.lower()
        for name, _ in cleaned.get("headers") or []:
            if self.is_oauth2 and name.lower() == placed:
                self.add_error("headers", f"Gatehouse sends the access token in {name}. Leave it out here.")

    def _check_secret_host(self, client: OAuthClient, token_url: str) -> None:
        try:
            host = outbound.host_port(token_url)
        except OutboundError as error:
            self.add_error("token_url", error.detail)
            return
        if client.secret_hosts and host not in client.secret_hosts:
            hosts = ", ".join(client.secret_hosts)
            self.add_error(
                "token_url",
                f"The secret of {client.name} may go only to {hosts}. To send it to {host}, add that host with the pencil; "
                "that needs the secret again.",
            )

    @property
    def values(self) -> dict[str, Any]:
        """What the actions take. Fields that do not apply keep what is stored."""
        return {name: self.cleaned_data[name] for name in self.Meta.fields if name in self.cleaned_data}


def _refilled(application: Application, values: dict[str, Any], filled_for: str, given: set[str]) -> dict[str, Any]:
    """Marketplace and URLs that follow from the region: whatever a person typed themselves stays."""
    region, market = str(values.get("region") or ""), str(values.get("marketplace") or "")
    markets = application.marketplaces_in(region)
    result: dict[str, Any] = {}
    if markets and market not in {known.code for known in markets}:
        market = result["marketplace"] = markets[0].code
    if f"{region}:{market}" == filled_for or not application.regions:
        return result
    base_uri = str(values.get("base_uri") or "")
    production = {known.base_uri for known in application.regions}
    sandbox = {known.sandbox_base_uri for known in application.regions}
    if "base_uri" not in given and base_uri.rstrip("/") in production | sandbox | {""}:
        is_sandbox = base_uri.rstrip("/") in sandbox - production
        result["base_uri"] = application.base_uri(region, sandbox=is_sandbox)
    consent_pages = {application.authorization_url(known.code) for known in application.marketplaces}
    if "authorization_url" not in given and str(values.get("authorization_url") or "") in consent_pages | {""}:
        result["authorization_url"] = application.authorization_url(market)
    return result
