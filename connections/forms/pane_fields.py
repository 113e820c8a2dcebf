"""Every field of the pane: what it takes and the words beside it. Which of them are shown is for `sections` to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from connections.forms.fields import (
    FieldsField,
    HeadersField,
    JsonObjectField,
    LineField,
    PemField,
    RowsField,
    SecretField,
    SecretFieldsField,
    SecretTextWidget,
    SecretWidget,
    StatusesField,
    TemplateField,
    UrlField,
)
from connections.models import Connection
from connections.models.pane import PLAIN

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Connection]
else:
    ModelForm = forms.ModelForm

CUSTOM = ("encrypted.", "field.")
CLIENT = ("client_id", "client_secret", *CUSTOM)
IN_CODE_EXCHANGE = ("code", "redirect_uri", "query.", *CLIENT)
IN_REFRESH = ("refresh_token", "redirect_uri", *CLIENT)
IN_REVOKE = ("token", "refresh_token", *CLIENT)
# In a URL that a browser and its history see, and so no secret.
IN_AUTHORIZATION_URL = ("client_id", "redirect_uri", "field.")
TEMPLATES = "{{ client_id }}, {{ field.NAME }} and {{ encrypted.NAME }} may stand in a value."


def secret(label: str, **kwargs: Any) -> SecretField:
    return SecretField(
        label=label, required=False, widget=SecretWidget(attrs={"autocomplete": "off", "spellcheck": "false"}), **kwargs
    )


def path(label: str, help_text: str = "") -> LineField:
    return LineField(
        label=label,
        required=False,
        max_length=200,
        help_text=help_text or "As in errors[0].code, or an XPath where the answer is XML.",
        widget=forms.TextInput(attrs={"spellcheck": "false", "data-mono": True}),
    )


def values(label: str) -> LineField:
    return LineField(label=label, required=False, max_length=500, help_text="Separated by commas.")


class PaneFields(ModelForm):
    name = LineField(label="Name", max_length=100)
    base_uri = UrlField(label="Base URI", max_length=2000, help_text="Every call starts with it.")
    headers = HeadersField(
        label="HTTP headers",
        required=False,
        placeholders=CUSTOM,
        help_text="Sent with every call. Nothing secret: they are shown here.",
    )

    username = LineField(label="Username", max_length=200)
    password = secret("Password", max_length=4096)
    wsse_header = LineField(label="Header name for WSSE", max_length=100)
    cookie_url = UrlField(
        label="URL of the cookie request", max_length=2000, help_text="The whole address that answers with the cookie."
    )
    cookie_body = TemplateField(
        label="Body of the cookie request",
        required=False,
        placeholders=CUSTOM,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="{{ encrypted.NAME }} puts in an encrypted custom field from Advanced.",
    )
    cookie_status = StatusesField(
        label="Status of a successful cookie request", required=False, max_length=30, help_text="Empty: any 2xx or 3xx."
    )
    oauth1_consumer_key = LineField(label="Consumer key", max_length=500)
    oauth1_consumer_secret = secret("Consumer secret", max_length=4096)
    oauth1_private_key = PemField(
        kind="PRIVATE KEY", label="Private key", required=False, widget=SecretTextWidget(attrs={"rows": 5})
    )
    oauth1_token = LineField(label="Access token of the account", max_length=2000, required=False)
    oauth1_token_secret = secret("Access token secret", max_length=4096)
    oauth1_realm = LineField(label="Realm", max_length=200, required=False)
    jwt_secret = secret("Secret", max_length=8192)
    jwt_private_key = PemField(
        kind="PRIVATE KEY", label="Private key for signing", required=False, widget=SecretTextWidget(attrs={"rows": 5})
    )
    jwt_payload = JsonObjectField(
        label="Payload",
        placeholders=CUSTOM,
        help_text="A JSON object. iat and exp are added where they are missing: now, and an hour from now.",
    )
    jwt_headers = JsonObjectField(label="JWT headers", required=False, help_text='A JSON object, such as {"kid": "1"}.')
    custom_headers = HeadersField(
        label="Authentication headers",
        required=False,
        reserved=("host", "content-length", "transfer-encoding", "connection"),
        placeholders=CUSTOM,
        help_text="{{ encrypted.NAME }} and {{ field.NAME }} put in the custom fields from Advanced.",
    )
    custom_query = RowsField(label="Authentication URL parameters", required=False, placeholders=CUSTOM)
    custom_body = RowsField(label="Authentication body fields", required=False, placeholders=CUSTOM)

    authorization_url = UrlField(
        label="Authorization URL", max_length=2000, help_text="The provider’s page where you agree."
    )
    token_url = UrlField(
        label="Access token URL", max_length=2000, help_text="Where Gatehouse exchanges the code and refreshes tokens."
    )
    scope = LineField(label="Scope", max_length=2000, required=False, help_text="Separated by blanks.")
    refresh_token = secret(
        "I already have a refresh token",
        max_length=20_000,
        help_text="Paste it here instead of authorizing in the browser. It is tried, encrypted and never shown again.",
    )
    revoke_url = UrlField(
        label="Revoke token URL", max_length=2000, required=False, help_text="Where tokens are given back (RFC 7009)."
    )
    scope_delimiter = forms.CharField(
        label="Scope delimiter",
        max_length=5,
        required=False,
        strip=False,
        help_text="Between scopes in requests. Empty: one blank.",
    )
    authorization_params = RowsField(
        label="Extra authorization parameters",
        required=False,
        placeholders=IN_AUTHORIZATION_URL,
        help_text="Added to the authorization URL, such as access_type = offline. Nothing secret: browsers keep addresses.",
    )
    code_param = LineField(
        label="Authorization code parameter",
        max_length=100,
        required=False,
        help_text="Under which name the code comes back.",
    )
    token_headers = HeadersField(
        label="Access token request headers",
        required=False,
        reserved=("host", "content-length"),
        placeholders=IN_CODE_EXCHANGE,
    )
    token_body = RowsField(
        label="Access token request body",
        required=False,
        placeholders=IN_CODE_EXCHANGE,
        help_text="{{ code }}, {{ redirect_uri }}, {{ query.NAME }} (of the callback) and those below may stand in a value. "
        + TEMPLATES,
    )
    refresh_headers = HeadersField(
        label="Refresh token request headers",
        required=False,
        reserved=("host", "content-length"),
        placeholders=IN_REFRESH,
    )
    refresh_body = RowsField(
        label="Refresh token request body",
        required=False,
        placeholders=IN_REFRESH,
        help_text="{{ refresh_token }} and " + TEMPLATES,
    )
    revoke_headers = HeadersField(
        label="Revoke token request headers",
        required=False,
        reserved=("host", "content-length"),
        placeholders=IN_REVOKE,
    )
    revoke_body = RowsField(
        label="Revoke token request body",
        required=False,
        placeholders=IN_REVOKE,
        help_text="{{ token }} and " + TEMPLATES,
    )
    access_token_path = path("Path to access token", "In the token answer, such as authed_user.access_token.")
    refresh_token_path = path("Path to refresh token", "In the token answer.")
    expires_in_path = path("Path to expiry", "In the token answer; seconds.")

    token = secret("Token", max_length=20_000)
    token_header = LineField(label="Header name", max_length=100)
    token_scheme = LineField(
        label="Header scheme",
        max_length=50,
        required=False,
        help_text="Before the token, with a blank between. None or empty: the bare token.",
        widget=forms.TextInput(attrs={"list": "token-schemes", "autocomplete": "off"}),
    )
    token_param = LineField(label="Parameter name", max_length=100)
    token_refresh_url = UrlField(
        label="Token request URL",
        max_length=2000,
        required=False,
        help_text="For tokens that end: where a new one is asked for when the API says “not authorized”.",
    )
    token_refresh_headers = HeadersField(
        label="Token request headers",
        required=False,
        reserved=("host", "content-length"),
        placeholders=("token", *CUSTOM),
    )
    token_refresh_body = TemplateField(
        label="Token request body",
        required=False,
        placeholders=("token", *CUSTOM),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="{{ token }}, {{ encrypted.NAME }} and {{ field.NAME }} may stand in it. Sent as the media type says.",
    )
    token_refresh_path = path("Path to the token in its answer")

    auth_fail_status = StatusesField(label="HTTP status that means “not authorized”", required=False, max_length=30)
    auth_fail_path = path("Path to the error field")
    auth_fail_values = values("Values that mean “not authorized”")
    rate_wait_ms = forms.IntegerField(
        label="Wait time between requests", required=False, min_value=0, max_value=600_000, help_text="Milliseconds."
    )
    rate_fail_status = StatusesField(label="HTTP status that means “slow down”", required=False, max_length=30)
    rate_fail_path = path("Path to the slow-down field")
    rate_fail_values = values("Values that mean “slow down”")
    retry_header = LineField(
        label="Retry-after header",
        max_length=100,
        required=False,
        help_text="Which answer header says how long to wait.",
    )

    ping_path = LineField(
        label="Relative URI",
        max_length=2000,
        required=False,
        help_text="Appended to the base URI. Empty: the usual call of this application.",
    )
    ping_body = forms.CharField(
        label="HTTP request body", required=False, max_length=100_000, widget=forms.Textarea(attrs={"rows": 4})
    )
    ping_success_path = path("Path to the success field", "Empty: any 2xx passes.")
    ping_success_values = values("Values that mean success")
    ping_fail_path = path("Path to the failure field", "For APIs that always answer 200.")
    ping_fail_values = values("Values that mean failure")
    ping_error_path = path("Path to the error message", "What to show when the test fails.")

    tls_certificate = PemField(
        kind="CERTIFICATE",
        label="TLS client certificate",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "data-mono": True, "data-file": True}),
        help_text="PEM, shown to servers that ask for one. Its key comes below and is never shown again.",
    )
    tls_key = PemField(
        kind="PRIVATE KEY",
        label="TLS client key",
        required=False,
        widget=SecretTextWidget(attrs={"rows": 4, "data-file": True}),
    )
    tls_passphrase = secret("Passphrase of the TLS client key", max_length=4096)
    encrypted_fields = SecretFieldsField(
        label="Encrypted custom fields",
        required=False,
        help_text="{{ encrypted.NAME }} puts one in; it is never shown again.",
    )

    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    id = forms.UUIDField(required=False, widget=forms.HiddenInput)
    filled_for = forms.CharField(
        required=False, widget=forms.HiddenInput
    )  # region:marketplace the URLs were filled for

    class Meta:
        model = Connection
        fields = ("name", *PLAIN)


# Declared in the class it would hide the form's own `fields`.
PaneFields.base_fields["fields"] = FieldsField(
    label="Unencrypted custom fields", required=False, help_text="{{ field.NAME }} puts one in."
)
