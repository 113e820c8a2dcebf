"""The pane: which fields a connection has now, what they are filled with, and what they must say together."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.conf import settings
from django.http import QueryDict
from django.utils.functional import cached_property

from connections import applications
from connections.actions import connections as actions
from connections.actions.connections import BOUND
from connections.applications import Application
from connections.forms import pane_checks
from connections.forms.fields import RowsField, RowsWidget, SecretRowsWidget, SecretTextWidget, SecretWidget
from connections.forms.pane_fields import PaneFields
from connections.forms.regions import refilled
from connections.forms.sections import DEFAULTED, REQUIRED, REQUIRED_SECRETS, SECTIONS, SHAPING, SHOWN, Shape
from connections.models import Actor, Connection, OAuthClient
from connections.models.choices import GrantType
from connections.models.pane import PLAIN, SECRET
from connections.oauth import authorize
from connections.outbound import OutboundError

OURS = ("refresh_token", *SECRET)  # never taken from a query string, never carried along
HIDDEN = ("version", "id", "filled_for")
# Never filled in by themselves; a checkbox that is not posted is off.
ASKED = {
    "name", "region", "marketplace", "base_uri", "media_type", "auth_type", "oauth_client", "grant_type", "client_authentication",
    "authorization_url", "token_url", "draft_application", "refresh_token",
}  # fmt: skip
ONE_CLICK = ("base_uri", "authorization_url", "token_url", "scope")


@dataclass(frozen=True)
class Section:
    title: str
    fields: list[forms.BoundField]

    @property
    def is_open(self) -> bool:
        """A section with a required field or an error is open, the others are closed."""
        return any(field.field.required or field.errors for field in self.fields)

    @property
    def error_count(self) -> int:
        return sum(bool(field.errors) for field in self.fields)


class ConnectionForm(PaneFields):
    """Bound to a post it validates; `shape` gives an unbound form of the fields that fit what was typed, nothing lost."""

    def __init__(
        self, data: Any = None, *, by: Actor, application: Application, instance: Connection, **kwargs: Any
    ) -> None:
        if data is not None:
            data = _completed(data, application, instance)
        super().__init__(data, instance=instance, **kwargs)
        self.by, self.application = by, application
        self.secret_places = actions.secret_places(instance)  # before anything typed is written on it
        self.carried: list[tuple[str, str]] = []  # typed in fields that do not apply now; kept for when they do again
        self._offer_choices()
        self._mark_stored()
        self._leave_out()
        self.initial.setdefault("id", instance.pk)
        self.initial.setdefault("version", instance.version)
        self.initial.setdefault("filled_for", f"{self._value('region')}:{self._value('marketplace')}")

    @classmethod
    def first_values(cls, application: Application, query: Mapping[str, str]) -> dict[str, Any]:
        """What a new pane starts with: the application's values, and over them the query string's. Secrets never."""
        known = [*cls.base_fields]
        given = {name: text for name, text in query.items() if name in known and name not in (*OURS, *HIDDEN)}
        placed = application.placement
        sent = {"token_location": placed.location, "token_header": placed.name, "token_scheme": placed.prefix}
        values: dict[str, Any] = {**sent, **application.initial, **given}
        for name, text in given.items():
            if isinstance(cls.base_fields[name], RowsField):
                values[name] = cls.base_fields[name].widget.value_from_datadict({name: text}, {}, name)
        values["draft_application"] = str(values.get("draft_application", "")).lower() in ("1", "true", "on", "yes")
        return values | refilled(application, values, "", set(given))

    @classmethod
    def draft_names(cls) -> set[str]:
        """The names under which a pane posts what may be put aside in a session: all but secrets."""
        plain = {name for name in cls.base_fields if name not in OURS}
        return plain | {f"{name}_{part}" for name in plain for part in ("name", "value")}

    @classmethod
    def shape(cls, data: Any, *, by: Actor, application: Application, instance: Connection) -> ConnectionForm:
        """The pane for what is typed so far, not judged yet: fields follow the choices, region and marketplace fill the URLs."""
        typed: dict[str, Any] = {}
        for name, field in cls.base_fields.items():
            if name in OURS:
                continue
            if field.widget.value_omitted_from_data(data, {}, name) and name != "draft_application":
                continue
            typed[name] = field.widget.value_from_datadict(data, {}, name)
        typed |= refilled(application, typed, str(typed.get("filled_for") or ""), set())
        if "marketplace" in typed:
            typed["filled_for"] = f"{typed.get('region', '')}:{typed['marketplace']}"
        name, _, value = str(data.get("fill") or "").partition("=")  # a one-click value
        if name in ONE_CLICK:
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
        markets = application.marketplaces_in(self._value("region"))
        chosen = application.marketplace(self._value("marketplace"))
        fields["marketplace"] = forms.ChoiceField(
            label="Marketplace",
            choices=[(market.code, f"{market.name} ({market.code})") for market in markets],
            help_text=(chosen and chosen.note) or "Fills the authorization URL.",
        )
        clients = OAuthClient.objects.visible_to(self.by).order_by("name", "id")
        fields["oauth_client"] = forms.ModelChoiceField(
            clients, label="OAuth 2.0 client", empty_label="Choose a client…"
        )
        fields["oauth_client"].error_messages["invalid_choice"] = "Choose one of your team’s clients."
        lenders = Connection.objects.visible_to(self.by).filter(application=application.slug, borrow_from=None)
        fields["borrow_from"] = forms.ModelChoiceField(
            lenders.exclude(pk=self.instance.pk).only("name").order_by("name", "id"),
            label="Borrow concurrency from",
            required=False,
            empty_label="Nobody",
            help_text="Both then share the other’s concurrency level.",
        )
        for name in ("grant_type", "client_authentication", "pkce", "oauth1_signature_method", "jwt_algorithm"):
            self._choices(name, [choice for choice in self._choices(name) if choice[0]])
        fields["cookie_method"].label = "Cookie request method"
        for name in ("success_media_type", "error_media_type"):
            self._choices(name, [("", "Same as above"), *[choice for choice in self._choices(name) if choice[0]]])
        fields[
            "draft_application"
        ].help_text = (
            "Leave it on while the app is a draft, and for vendor authorizations that Amazon refuses otherwise."
        )
        if application.consent == "spapi":
            fields["scope"].help_text = "Only for grant type Client credentials."

    def _choices(self, name: str, choices: list[Any] | None = None) -> list[Any]:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        if choices is not None:
            field.choices = choices
        return list(field.choices)  # type: ignore[arg-type]

    def is_stored(self, name: str) -> bool:
        """Whether there is a secret in the database that can be opened; one that was typed a moment ago is none."""
        sealed = getattr(self.instance, name)
        return sealed is not None and sealed.token is not None and sealed.readable

    def _mark_stored(self) -> None:
        """Secrets that are stored say so, and may be left blank."""
        for name in SECRET:
            is_stored = self.is_stored(name)
            widget = self.fields[name].widget
            if isinstance(widget, SecretWidget | SecretTextWidget):
                widget.stored = is_stored
            elif isinstance(widget, SecretRowsWidget):
                widget.stored = self.instance.encrypted_field_names if is_stored else ()
            self.fields[name].required = name in REQUIRED_SECRETS and not is_stored
        for name in DEFAULTED:
            self.fields[name].required = False
        self.initial["encrypted_fields"] = [[name, ""] for name in self.instance.encrypted_field_names]

    def _leave_out(self) -> None:
        """Drop the fields that do not apply, remembering what was typed in them; require those that must be filled."""
        # Amazon behind a plain HTTP connection is asked in Amazon's way, but its addresses were typed, not chosen by region.
        application = replace(
            self.provider, regions=self.application.regions, marketplaces=self.application.marketplaces
        )
        shape = Shape(application, {name: self._value(name) for name in SHAPING})
        gone = {name for name, is_shown in SHOWN.items() if not is_shown(shape)}
        if not self.provider.offers_draft:
            gone.add("draft_application")
        for name in gone:
            self._carry(name)
        for name in [*self.fields]:
            if name in gone:
                del self.fields[name]
            elif name in REQUIRED:
                self.fields[name].required = True

    def _carry(self, name: str) -> None:
        if name in OURS:
            return
        if isinstance(self.fields[name], RowsField):
            widget = self.fields[name].widget
            typed = widget.value_from_datadict(self.data, self.files, name) if self.is_bound else self.initial.get(name)
            for row in typed or []:
                self.carried += [(f"{name}_name", row[0]), (f"{name}_value", row[1])]
        elif text := self._value(name):
            self.carried.append((name, text))

    def __getitem__(self, name: str) -> forms.BoundField:
        # A template looks here first for each property. Django's own refusal spells out every field, each time.
        if name not in self.fields:
            raise KeyError(name)
        return super().__getitem__(name)

    @cached_property
    def sections(self) -> list[Section]:
        present = {title: [self[name] for name in names if name in self.fields] for title, names in SECTIONS.items()}
        return [Section(title, fields) for title, fields in present.items() if fields]

    @cached_property
    def reshaping(self) -> list[str]:
        """The last field of each section after whose change the pane must be drawn anew (a button, where script is off)."""
        shaping = ([field.name for field in section.fields if field.name in SHAPING] for section in self.sections)
        return [names[-1] for names in shaping if names]

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
            chosen = uuid.UUID(self._value("oauth_client"))
        except ValueError:
            return None
        if self.instance.oauth_client_id == chosen:
            return self.instance.oauth_client
        return OAuthClient.objects.visible_to(self.by).filter(pk=chosen).first()

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
            text = f"This is Amazon’s sign-in page, where a person signs in. Tokens come from {offer}."
            raise forms.ValidationError(text, code="sign_in_page")
        return url

    def clean_refresh_token(self) -> str:
        token, error = self.provider.check_refresh_token(self.cleaned_data.get("refresh_token", ""))
        if error:
            raise forms.ValidationError(error, code="refresh_token")
        return token

    def clean_ping_path(self) -> str:
        path: str = self.cleaned_data["ping_path"]
        climbs = ".." in path.split("?")[0].split("/")
        if "://" in path or path.startswith("//") or "\\" in path or "#" in path or climbs:
            text = "Give only the part after the base URI, such as /v1/orders?limit=1."
            raise forms.ValidationError(text, code="path")
        return path

    def clean_rate_wait_ms(self) -> int:
        return self.cleaned_data["rate_wait_ms"] or 0

    def clean_token_scheme(self) -> str:
        scheme: str = self.cleaned_data["token_scheme"]
        return "" if scheme.lower() == "none" else scheme

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in DEFAULTED:
            if name in cleaned and cleaned[name] in ("", None):
                cleaned[name] = self._at_first(name)
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
        pane_checks.check(self, cleaned)
        return cleaned

    def _at_first(self, name: str) -> Any:
        return self.application.initial.get(name) or Connection._meta.get_field(name).get_default()  # type: ignore[union-attr]

    def _post_clean(self) -> None:
        """Secrets, too, are written on the instance, so that values not saved can be tested."""
        super()._post_clean()  # type: ignore[misc]
        if pane_checks.is_moved(self, self.cleaned_data):
            for name in BOUND:
                setattr(self.instance, name, None)
        for name, value in self.secrets.items():
            if name == "encrypted_fields":
                self._write_encrypted_fields(value)
            else:
                setattr(self.instance, name, value)

    def _write_encrypted_fields(self, rows: list[list[str]]) -> None:
        names = [name for name, _ in rows]
        if any(text for _, text in rows) or names != self.instance.encrypted_field_names:
            # Opened to keep those that were left blank; they go back under seal at once.
            stored = actions.encrypted_fields(self.instance) if self.is_stored("encrypted_fields") else {}
            kept = {name: text or stored.get(name, "") for name, text in rows}
            self.instance.encrypted_fields = json.dumps(kept) if kept else None
        self.instance.encrypted_field_names = names

    @property
    def values(self) -> dict[str, Any]:
        """What the actions take. Fields that do not apply keep what is stored."""
        return {name: self.cleaned_data[name] for name in self.Meta.fields if name in self.cleaned_data}

    @property
    def typed_secrets(self) -> bool:
        """Whether any secret was typed, other than a refresh token."""
        rows = self.cleaned_data.get("encrypted_fields") or []
        return any(self.cleaned_data.get(name) for name in SECRET if name != "encrypted_fields") or any(
            text for _, text in rows
        )

    @property
    def secrets(self) -> dict[str, Any]:
        """The secrets that were typed; those left blank stay as they are. Encrypted custom fields as rows, blank = keep."""
        rows = (
            {"encrypted_fields": self.cleaned_data["encrypted_fields"]}
            if "encrypted_fields" in self.cleaned_data
            else {}
        )
        return {name: self.cleaned_data[name] for name in SECRET if self.cleaned_data.get(name)} | rows


def _completed(data: Any, application: Application, instance: Connection) -> QueryDict:
    """What was posted, and for each setting that the post does not name at all what it is now, or is at first.

    So a caller that knows only the fields it needs changes only those. What a connection cannot be without is not guessed.
    """
    known: dict[str, Any] = {name: getattr(instance, name) for name in PLAIN}
    if instance._state.adding:
        known |= ConnectionForm.first_values(application, {})
    completed: QueryDict = data.copy()
    for name in PLAIN:
        widget = ConnectionForm.base_fields[name].widget
        if name in ASKED or not widget.value_omitted_from_data(data, {}, name):
            continue
        if isinstance(widget, RowsWidget):
            for row in known.get(name) or []:
                completed.appendlist(f"{name}_name", row[0])
                completed.appendlist(f"{name}_value", row[1])
        elif known.get(name) not in (None, ""):
            completed[name] = str(getattr(known[name], "pk", known[name]))
    return completed
