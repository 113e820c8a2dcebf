"""A new API key: what it may do, with which connections, how long."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone

from connections.forms.fields import IdField, LineField
from connections.models import Actor, Connection, Scope
from connections.models.api_keys import RATE_LIMIT

LISTED = 50  # connections offered at once; a team with more has a field to find others
FURTHEST = 100 * 366  # days
NEVER, ON_A_DAY = "never", "day"


class ConnectionsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    """Some connections of the team, checked against all of it whichever of them the page lists."""

    def clean(self, value: Any) -> Any:
        try:
            return super().clean(value)
        except ValidationError:
            text = "One of these connections is gone, or is another team's. Choose again."
            raise ValidationError(text, code="gone") from None

    def label_from_instance(self, connection: Any) -> str:
        return f"{connection.name} ({connection.chosen_application.name})"


class ApiKeyForm(forms.Form):
    """`by` is who makes it: only connections of that team are offered and taken."""

    name = LineField(label="Name", max_length=100, help_text="What will use it, so that you know which key to revoke.")
    scopes = forms.MultipleChoiceField(
        label="What it may do", choices=Scope.choices, widget=forms.CheckboxSelectMultiple
    )
    reach = forms.ChoiceField(
        label="Connections",
        choices=[("all", "All of the team, those made later too"), ("some", "Only these")],
        widget=forms.RadioSelect,
    )
    find = LineField(label="Find a connection", max_length=100, required=False)
    connections = ConnectionsField(
        label="Which", queryset=Connection.objects.none(), required=False, widget=forms.CheckboxSelectMultiple
    )
    expires = forms.ChoiceField(
        label="Ends",
        choices=[
            (NEVER, "Never"),
            ("30", "In 30 days"),
            ("90", "In 90 days"),
            ("365", "In 365 days"),
            (ON_A_DAY, "On a day"),
        ],
    )
    expires_on = forms.DateField(
        label="Last day (UTC)",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Write the day like 2030-12-31."},
    )
    rate_limit = forms.IntegerField(
        label="Requests a minute",
        min_value=1,
        max_value=1_000_000,
        help_text=f"{RATE_LIMIT:,} is more than one machine answers. A lower number stops an integration that runs wild.",
    )
    id = IdField()

    def __init__(self, data: Any = None, *, by: Actor, initial: dict[str, Any] | None = None) -> None:
        first = {"scopes": [Scope.TOKENS, Scope.PROXY], "reach": "all", "expires": NEVER, "rate_limit": RATE_LIMIT}
        super().__init__(data, initial=first | (initial or {}))
        self.all = Connection.objects.visible_to(by).only("id", "team", "name", "application").order_by("name", "id")
        field = self.fields["connections"]
        assert isinstance(field, ConnectionsField)
        field.queryset = self.all
        field.choices = [(row.pk, field.label_from_instance(row)) for row in self._listed()]
        if len(field.choices) < LISTED and not self["find"].value():
            del self.fields["find"]

    @classmethod
    def shape(cls, data: QueryDict, *, by: Actor) -> ApiKeyForm:
        """What was typed, drawn again and not judged: with the connections that are looked for."""
        typed: dict[str, Any] = {name: data.get(name, "") for name in cls.base_fields}
        return cls(by=by, initial=typed | {name: data.getlist(name) for name in ("scopes", "connections")})

    def _listed(self) -> list[Connection]:
        """Those that are chosen, then those that are looked for, by name."""
        field = self.fields["connections"]
        assert isinstance(field, ConnectionsField)
        chosen = [str(value) for value in self["connections"].value() or [] if _is_uuid(value)]
        wanted = str(self["find"].value() or "").strip().replace("\0", "")
        found = list(self.all.filter(pk__in=chosen[:1000]))
        others = self.all.exclude(pk__in=[row.pk for row in found]).filter(name__icontains=wanted)
        return [*found, *others[:LISTED]]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("reach") == "all":
            self.errors.pop("connections", None)  # not drawn then, and not used
        elif "connections" not in self.errors and not cleaned.get("connections"):
            self.add_error("connections", "Choose at least one.")
        if cleaned.get("expires") != ON_A_DAY:
            self.errors.pop("expires_on", None)
        elif "expires_on" not in self.errors:
            self._check_day(cleaned.get("expires_on"))
        return cleaned

    def _check_day(self, day: date | None) -> None:
        today = timezone.now().date()
        if day is None:
            self.add_error("expires_on", "Choose the day.")
        elif day < today:
            self.add_error("expires_on", "That day is over. Choose a later one.")
        elif (day - today).days > FURTHEST:
            self.add_error("expires_on", "That is more than 100 years away. Choose Never instead.")

    @property
    def values(self) -> dict[str, Any]:
        """What the action takes, apart from the id."""
        cleaned = self.cleaned_data
        return {
            "name": cleaned["name"],
            "scopes": cleaned["scopes"],
            "connections": list(cleaned["connections"]) if cleaned["reach"] == "some" else None,
            "expires_at": self._expires_at(cleaned["expires"], cleaned.get("expires_on")),
            "rate_limit": cleaned["rate_limit"],
        }

    def _expires_at(self, choice: str, day: date | None) -> datetime | None:
        if choice == ON_A_DAY and day:
            return datetime.combine(day, time(23, 59, 59), UTC)
        return None if choice == NEVER else timezone.now() + timedelta(days=int(choice))


def _is_uuid(text: Any) -> bool:
    try:
        uuid.UUID(str(text))
    except ValueError:
        return False
    return True
