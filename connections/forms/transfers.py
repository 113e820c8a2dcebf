"""Bringing a file in: what each connection of it says to the pane's own form, and what comes of it.

Nothing is stored before every connection has passed; then everything is, or nothing.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.conf import settings

from connections import applications, outbound
from connections.actions import clients, copies, errors, transfers
from connections.actions.errors import SecretHostError
from connections.actions.transfers import Arrival, Entry
from connections.forms.clients import ClientForm
from connections.forms.connections import ConnectionForm
from connections.forms.uploads import Upload
from connections.models import Actor, Connection, OAuthClient
from connections.models.pane import SECRET
from connections.oauth import placeholders
from connections.outbound import OutboundError

RELATIONS = ("oauth_client", "borrow_from")


class ArrivingForm(ConnectionForm):
    """The pane's form for a connection that arrives: the same rules, but what no file holds may be missing.

    `client` is the one it gets, which may not be saved yet. `needs` then says what a person has to add.
    """

    def __init__(self, data: Any, *, client: OAuthClient | None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.arriving_client, self.needs = client, list[str]()
        for name in self.fields:
            if name in SECRET or name == "oauth_client":
                if name in SECRET and self.fields[name].required:
                    self.needs.append(str(self.fields[name].label))
                self.fields[name].required = False

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for name in ("oauth_client", *SECRET):
            # Nothing is typed in these, so what is wrong with them is what is missing.
            if name in self.errors:
                sentences: list[str] = [str(sentence) for sentence in self.errors.pop(name)]
                is_plain = name == "oauth_client"
                self.needs += sentences if is_plain else [str(self.fields[name].label)] * (name != "encrypted_fields")
        client = self.arriving_client if self.is_oauth2 else None
        if self.is_oauth2 and client is None:
            self.needs.append("An OAuth 2.0 client")
        elif client is not None and client._state.adding:
            self.needs.append(f"The secret of its client {client.name}")
        for name in ("token_url", "revoke_url"):
            if client is not None and cleaned.get(name) and name not in self.errors:
                self._check_host(name, client, cleaned[name])
        return cleaned

    def _check_host(self, name: str, client: OAuthClient, url: str) -> None:
        """A file must not be the one to say where a secret that somebody else entered may go."""
        try:
            clients.check_host(client, outbound.host_port(url))
        except SecretHostError as error:
            self.add_error(name, str(error))
            return
        except OutboundError:
            return  # the field has said so
        is_theirs = self.by.user is None or client.secret_set_by_id != self.by.user.pk
        if not client._state.adding and not client.secret_hosts and is_theirs:
            text = f"The client {client.name} has no list of hosts yet. Enter one with the pencil; that needs its secret again."
            self.add_error(name, text)


@dataclass
class Row:
    """One connection of the file, judged."""

    entry: Entry
    application: str = ""  # its name
    needs: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)  # (label of the field, sentence)
    exists: bool = False  # the team has one of this name
    arrival: Arrival | None = None  # None where it is left out or does not pass


class Import:
    """What would come of an upload. `check` judges one connection after the other; `apply` stores them all, or none."""

    def __init__(self, upload: Upload, *, by: Actor, copies: bool = False, new_clients: bool = False) -> None:
        self.upload, self.by, self.copies, self.new_clients = upload, by, copies, new_clients
        self.rows: list[Row] = []
        self.client_errors: list[tuple[str, str]] = []  # (name of the client, sentence)
        self.matched: list[OAuthClient] = []  # clients of the file that the team has already
        self.arriving_clients: list[Arrival] = []
        self._clients: dict[str, OAuthClient | Arrival] = {}  # by the file's id, and by Client ID
        self.applications = applications.available(simulator_url=settings.SIMULATOR_URL)

    def check(self) -> Iterator[int]:
        """How many connections are done, after each."""
        for client in self.upload.clients:
            self._judge_client(client)
        team = Connection.objects.visible_to(self.by)
        names = {entry.name for entry in self.upload.entries}
        self._existing = {
            found.name: found for found in team.filter(name__in=names).defer(*SECRET).order_by("-created_at")
        }
        numbered = team.filter(name__contains=" (copy").values_list("name", flat=True) if self.copies else ()
        self._taken = names | set(numbered)
        for number, entry in enumerate(self.upload.entries, 1):
            self.rows.append(self._judge(entry))
            yield number
        rows = {row.entry.ref.partition(":")[2]: row for row in reversed(self.rows)}
        for row in self.rows:
            if row.arrival and row.entry.lender:
                self._find_lender(row, row.arrival, rows.get(row.entry.lender))
        for row in self.rows:
            row.arrival = None if row.errors else row.arrival

    @property
    def arriving(self) -> list[Arrival]:
        return [row.arrival for row in self.rows if row.arrival]

    @property
    def existing(self) -> list[Row]:
        return [row for row in self.rows if row.exists]

    @property
    def in_clear(self) -> list[tuple[str, int]]:
        """Keys that hold a secret in clear, each with how often."""
        return list(Counter(path for row in self.rows for path in row.entry.in_clear).items())

    @property
    def unknown(self) -> list[tuple[str, list[str]]]:
        """Keys that are left out, each with the names of the connections that have it."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            for path in row.unknown:
                found.setdefault(path, []).append(row.entry.name)
        for client in self.upload.clients:
            for path in client["unknown"]:
                found.setdefault(f"clients.{path}", []).append(client["name"])
        return list(found.items())

    @property
    def has_errors(self) -> bool:
        return bool(self.client_errors) or any(row.errors for row in self.rows)

    @property
    def may_apply(self) -> bool:
        return not self.has_errors and bool(self.arriving or self.arriving_clients)

    def apply(self) -> tuple[list[Connection], list[OAuthClient]]:
        """Raises TransferError, with nothing stored."""
        arriving, first = self.arriving, self.arriving_clients
        return transfers.bring(by=self.by, clients_first=first, arriving=arriving, source=self.upload.name)

    def _judge_client(self, client: dict[str, Any]) -> None:
        known = OAuthClient.objects.visible_to(self.by).filter(client_id=client["client_id"]).order_by("created_at")
        found = (known.filter(name=client["name"]).first() or known.first()) if client["client_id"] else None
        name = client["name"] or client["client_id"] or "A client without a name"
        form = ClientForm(client | {"name": name, "secret_hosts": "\n".join(client["secret_hosts"])})
        form.fields["client_secret"].required = False
        if found is not None and found not in self.matched:
            self.matched.append(found)
        chosen: OAuthClient | Arrival | None = None if self.new_clients else found
        if chosen is None and not form.is_valid():
            labels = {field.name: str(field.label) for field in form}
            self.client_errors += [
                (name[:100], f"{labels.get(at, '')}: {text}") for at, texts in form.errors.items() for text in texts
            ]
            return
        if chosen is None:
            fields = {name: value for name, value in form.values.items() if name != "client_secret"}
            chosen = Arrival(str(len(self.arriving_clients)), fields)
            self.arriving_clients.append(chosen)
        for key in (client["_id"], client["client_id"]):
            self._clients.setdefault(key, chosen)

    def _client_of(self, entry: Entry) -> OAuthClient | Arrival | None:
        for key in entry.clients:
            if key not in self._clients:
                team = OAuthClient.objects.visible_to(self.by)
                found = team.filter(pk=key).first() if _is_uuid(key) else team.filter(client_id=key).first()
                if found is None:
                    continue
                self._clients[key] = found
            return self._clients[key]
        return None

    def _judge(self, entry: Entry) -> Row:
        row = Row(entry, unknown=list(entry.unknown), exists=entry.name in self._existing)
        application = self.applications.get(entry.application)
        row.application = application.name if application else entry.application[:50]
        if row.exists and not self.copies:
            return row
        if application is None:
            row.errors.append(("Application", f"There is no application {row.application} here."))
            return row
        given = dict(entry.values)
        if row.exists:
            given["name"] = copies.copy_name(entry.name, self._taken)
            self._taken.add(given["name"])
        found = self._client_of(entry)
        client = found if isinstance(found, OAuthClient) or found is None else OAuthClient(**found.fields)
        is_saved = client is not None and not client._state.adding
        data = transfers.assumed(application) | ConnectionForm.first_values(application, _guides(given)) | given
        secret_names = _secret_names(entry)
        data |= {"oauth_client": str(client.pk) if client and is_saved else "", "borrow_from": ""}
        data |= {"encrypted_fields": [[name, ""] for name in secret_names]}
        blank = Connection(team=self.by.team, application=application.slug)
        form = ArrivingForm(data, client=client, by=self.by, application=application, instance=blank)
        if not form.is_valid():
            row.errors += [(_label(form, at), str(text)) for at, texts in form.errors.items() for text in texts]
        row.errors += [(_label(form, at), text) for at, text in entry.problems]
        held = [_label(form, name) for name in entry.held if name in form.fields]
        row.needs = list(
            dict.fromkeys([*form.needs, *held, *(f"Encrypted custom field {name}" for name in secret_names)])
        )
        idle = {name.removesuffix("_name").removesuffix("_value") for name, _ in form.carried} & set(entry.values)
        usual = transfers.assumed(application)
        row.unknown += [
            key.path
            for key in transfers.KEYS
            if key.field in idle and given[key.field] not in ("", usual.get(key.field))
        ]
        if not row.errors:
            fields = {name: form.values[name] for name in form.values if name not in RELATIONS}
            fields |= {"application": application.slug, "failure": _failure(form, row.needs)}
            row.arrival = Arrival(entry.ref, fields, client=found.ref if isinstance(found, Arrival) else found)
        return row

    def _find_lender(self, row: Row, arrival: Arrival, lender: Row | None) -> None:
        """The lender as it arrives with the file, as it is here already, or left out where it is neither."""
        label, found = "Borrow concurrency from", None
        if lender is None:
            team = Connection.objects.visible_to(self.by)
            found = team.filter(pk=row.entry.lender).first() if _is_uuid(row.entry.lender) else None
        elif not lender.arrival:
            found = self._existing.get(lender.entry.name)
        if lender is not None and lender.arrival:
            application, borrows = lender.arrival.fields["application"], bool(lender.entry.lender)
            arrival.lender = lender.entry.ref
        elif found is not None:
            application, borrows = found.application, found.borrow_from_id is not None
            arrival.lender = found
        else:
            row.unknown.append("_borrowConcurrencyFromConnectionId (no such connection here)")
            return
        if lender is row or borrows:
            row.errors.append((label, "It must lead to another connection, which itself borrows from none."))
        elif application != arrival.fields["application"]:
            row.errors.append((label, "Both connections must be of the same application."))


def _guides(given: dict[str, Any]) -> dict[str, str]:
    """What decides the first values of the others."""
    return {name: given[name] for name in ("region", "marketplace") if given.get(name)}


def _label(form: ConnectionForm, name: str) -> str:
    found = form.base_fields.get(name)
    return str(found.label or name) if found else name


def _secret_names(entry: Entry) -> list[str]:
    """Names of encrypted custom fields: those that the file tells, and those that a template of it uses."""
    told = [name.partition(":")[2] for name in entry.held if ":" in name]
    rows = [text for value in entry.values.values() if isinstance(value, list) for _, text in value]
    texts = [value for value in entry.values.values() if isinstance(value, str)] + rows
    used = [name for text in texts for name in placeholders.names(text)]
    return list(dict.fromkeys([*told, *(name[10:] for name in used if name.startswith("encrypted."))]))


def _failure(form: ConnectionForm, needs: list[str]) -> dict[str, Any] | None:
    if not needs:
        return None
    return errors.as_json(errors.problem("no_client" if form.is_oauth2 else "secret_missing"))


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


class ReplaceForm(forms.Form):
    """`chosen` is the connection that takes the place, once the form is valid."""

    replacement = forms.ChoiceField(label="Use instead")

    def __init__(self, *args: Any, choices: list[Connection], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = {str(connection.pk): connection for connection in choices}
        names = [
            (pk, f"{connection.name} ({connection.get_status_display()})") for pk, connection in self.known.items()
        ]
        field = self.fields["replacement"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "Choose a connection…"), *names]
        field.error_messages["invalid_choice"] = "Choose one of the connections listed."

    @property
    def chosen(self) -> Connection:
        return self.known[self.cleaned_data["replacement"]]
