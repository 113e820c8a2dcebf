"""The OAuth 2.0 client drawer."""

from __future__ import annotations

from typing import Any

from django import forms

from connections.forms.fields import HostsField, IdField, LineField, PastedField, SecretField, VersionField
from connections.models import OAuthClient


class ClientForm(forms.Form):
    """`client` is the one edited; None for a new one. The secret is asked for where none is stored or the stored one is unreadable."""

    name = LineField(label="Name", max_length=100, help_text="So that you know it again in other connections.")
    client_id = PastedField(
        label="Client ID", max_length=500, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    )
    client_secret = SecretField(label="Client secret", max_length=4096)
    application_id = PastedField(
        label="Application ID",
        max_length=200,
        required=False,
        help_text="Amazon only: begins with amzn1.sp.solution. It names the app on Amazon’s consent page and is not the Client ID.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    secret_hosts = HostsField(
        label="Hosts that may see the secret",
        required=False,
        help_text="One a line. The secret is posted to these and to no other. Empty: the first access token URL it is used with.",
    )
    version = VersionField()
    id = IdField()

    def __init__(self, *args: Any, client: OAuthClient | None = None, **kwargs: Any) -> None:
        kwargs["auto_id"] = "client_%s"  # the drawer lies over a pane that has a name and an id of its own
        super().__init__(*args, **kwargs)
        self.client = client
        self.keeps_secret = bool(client and client.client_secret and client.client_secret.readable)
        secret = self.fields["client_secret"]
        secret.required = not self.keeps_secret
        if self.keeps_secret:
            secret.help_text = (
                "One is stored. Leave this blank to keep it. It is encrypted with AES-256 and never shown again."
            )
        elif client:
            secret.help_text = "The stored secret can no longer be read. Enter it again."
        else:
            secret.help_text = "Encrypted with AES-256 when you save, and never shown again."

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.keeps_secret and self.client and not cleaned.get("client_secret"):
            added = [host for host in cleaned.get("secret_hosts", []) if host not in self.client.secret_hosts]
            emptied = self.client.secret_hosts and cleaned.get("secret_hosts") == []
            if added and "client_secret" not in self.errors:
                self.add_error("client_secret", f"To let the secret go to {', '.join(added)}, enter it again.")
            elif emptied and "client_secret" not in self.errors:
                text = "Without a host on the list the secret could go to any first one. For that, enter it again."
                self.add_error("client_secret", text)
        return cleaned

    @property
    def values(self) -> dict[str, Any]:
        """What the actions take, apart from id and version."""
        return {
            name: self.cleaned_data[name]
            for name in ("name", "client_id", "client_secret", "application_id", "secret_hosts")
        }

    @property
    def trimmed(self) -> list[str]:
        """Labels of the fields from which blanks or quotation marks were left out."""
        pasted = ((name, field) for name, field in self.fields.items() if isinstance(field, PastedField))
        return [str(field.label) for name, field in pasted if field.trimmed and self.cleaned_data.get(name)]
