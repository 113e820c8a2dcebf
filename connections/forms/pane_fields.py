"""Every field of the pane: what it takes and the words beside it. Which of them are shown is for `sections` to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

from connections.forms.fields import (
    FieldsField,
    HeadersField,
    IdField,
    JsonObjectField,
    LineField,
    MarkField,
    RowsField,
    SecretField,
    SecretFieldsField,
    SecretTextWidget,
    SecretWidget,
    StatusesField,
    TemplateField,
    UrlField,
    VersionField,
)
from connections.forms.pem import PemField
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
KEY = "PEM (PKCS#8, PKCS#1 or EC), without a passphrase: it is encrypted here."
TEMPLATES = "{{ client_id }}, {{ field.NAME }} and {{ encrypted.NAME }} may stand in a value."
OVERRIDES = " A row wins over what would be sent; an empty value leaves that parameter out."


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
    wsse_header = LineField(label="WSSE header name", max_length=100, required=False, help_text="Empty: X-WSSE.")
    cookie_url = UrlField(
        label="Cookie request URL",
        max_length=2000,
        help_text="The whole address that answers with the cookie. The cookie is then sent with every call.",
    )
    cookie_body = TemplateField(
        label="Cookie request body",
        required=False,
        placeholders=CUSTOM,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "data-mono": True}),
        help_text="JSON, XML or a form, such as user={{ field.user }}&amp;password={{ encrypted.password }}. "
        "Keep the password in an encrypted custom field under Advanced: what stands here is not secret.",
    )
    cookie_status = StatusesField(
        label="Cookie request success status", required=False, max_length=30, help_text="Empty: any 2xx or 3xx."
    )
    oauth1_consumer_key = LineField(label="Consumer key", max_length=500)
    oauth1_consumer_secret = secret("Consumer secret", max_length=4096)
    oauth1_private_key = PemField(
        kind="PRIVATE KEY", label="Private key", required=False, widget=SecretTextWidget, help_text=KEY
    )
    oauth1_token = LineField(
        label="Access token of the account",
        max_length=2000,
        required=False,
        help_text="With its secret. Empty where the consumer alone is let in.",
    )
    oauth1_token_secret = secret("Access token secret", max_length=4096)
    oauth1_realm = LineField(
        label="Realm", max_length=200, required=False, help_text="Only where the provider asks for one."
    )
    jwt_secret = secret("Secret", max_length=8192)
    jwt_private_key = PemField(
        kind="PRIVATE KEY", label="Private key for signing", required=False, widget=SecretTextWidget, help_text=KEY
    )
    jwt_payload = JsonObjectField(
        label="Payload",
        placeholders=CUSTOM,
        help_text="A JSON object. iat and exp are added where they are missing: now, and an hour from now. "
        "{{ encrypted.NAME }} and {{ field.NAME }} may stand inside its texts.",
    )
    jwt_headers = JsonObjectField(label="JWT headers", required=False, help_text='A JSON object, such as {"kid": "1"}.')
    custom_headers = HeadersField(
        label="Authentication headers",
        required=False,
        reserved=("host", "content-length", "transfer-encoding", "connection"),
        placeholders=CUSTOM,
        help_text="{{ encrypted.NAME }} and {{ field.NAME }} put in the custom fields from Advanced.",
    )
    custom_query = RowsField(
        label="Authentication URL parameters",
        required=False,
        placeholders=CUSTOM,
        help_text="Added to the URL of every call.",
    )
    custom_body = RowsField(
        label="Authentication body fields",
        required=False,
        placeholders=CUSTOM,
        help_text="Added to the body of every call.",
    )

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
        + TEMPLATES
        + OVERRIDES,
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
        help_text="{{ refresh_token }} and "
        + TEMPLATES
        + OVERRIDES
        + " With Basic auth header, client_secret = {{ client_secret }} sends the credentials in the body here.",
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
        help_text="{{ token }} and " + TEMPLATES + OVERRIDES,
    )
    access_token_path = path("Path to access token", "In the token answer, such as authed_user.access_token.")
    refresh_token_path = path("Path to refresh token", "In the token answer.")
    expires_in_path = path(
        "Path to expiry", "In the token answer; seconds. For milliseconds write ms behind it: expires_in ms."
    )

    token = secret("Token", max_length=20_000)
    token_header = LineField(label="Header name", max_length=100)
    token_scheme = LineField(
        label="Header scheme",
        max_length=50,
        required=False,
        help_text="Before the token, with a blank between: Bearer, MAC or your own. None or empty: the bare token.",
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
        help_text="JSON, XML or a form. {{ token }}, {{ encrypted.NAME }} and {{ field.NAME }} may stand in it.",
    )
    token_refresh_path = path(
        "Path to the token in its answer", "Such as data.token, or an XPath where the answer is XML."
    )

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
        help_text="PEM, shown to servers that ask for one.",
    )
    tls_key = PemField(
        kind="PRIVATE KEY",
        passphrase=True,
        label="TLS client key",
        required=False,
        widget=SecretTextWidget(attrs={"rows": 4, "data-file": True}),
        help_text="PEM; needed with a certificate.",
    )
    tls_passphrase = secret("Passphrase of the TLS client key", max_length=4096)
    encrypted_fields = SecretFieldsField(
        label="Encrypted custom fields",
        required=False,
        help_text="{{ encrypted.NAME }} puts one in; it is never shown again.",
    )

    version = VersionField()
    id = IdField()
    filled_for = MarkField()  # region:marketplace that the URLs were filled for

    class Meta:
        model = Connection
        fields = ("name", *PLAIN)


# Declared in the class it would hide the form's own `fields`. Both, since a subclass is made anew from what is declared.
PaneFields.declared_fields["fields"] = PaneFields.base_fields["fields"] = FieldsField(
    label="Unencrypted custom fields", required=False, help_text="{{ field.NAME }} puts one in."
)
