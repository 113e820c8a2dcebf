"""Form fields that several forms share: plain lines, pasted identifiers, URLs, rows of names and values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from connections import outbound
from connections.oauth import placeholders
from connections.outbound import OutboundError

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
QUOTES = "\"'`“”‘’«»„"
INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff\u00a0"
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.1
# Headers that Gatehouse or the connection below sets, or that would carry a secret in clear.
RESERVED_HEADERS = {
    "authorization", "connection", "content-length", "cookie", "host", "keep-alive", "proxy-authorization", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade",
}  # fmt: skip


def no_control_characters(value: str) -> None:
    if CONTROL.search(value):
        raise ValidationError(
            "There is a line break or another invisible character in it. Type or paste it again.", code="control"
        )


class LineField(forms.CharField):
    """One line of text, blanks around it left out."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.validators.append(no_control_characters)


class PastedField(LineField):
    """An id or a secret copied from somewhere: blanks and quotation marks around it are left out, and `trimmed` says so."""

    trimmed = False

    def to_python(self, value: Any) -> str:
        text = str(value or "")
        cleaned = text.strip().strip(INVISIBLE).strip()
        while len(cleaned) > 1 and cleaned[0] in QUOTES and cleaned[-1] in QUOTES:
            cleaned = cleaned[1:-1].strip()
        self.trimmed = cleaned != text
        return str(super().to_python(cleaned) or "")


class SecretField(PastedField):
    """A secret: never rendered back, whatever was typed."""

    widget = forms.PasswordInput(render_value=False, attrs={"autocomplete": "off", "spellcheck": "false"})

    def to_python(self, value: Any) -> str:
        text = super().to_python(value)
        if text and set(text) <= {"•", "*", "●"}:
            raise ValidationError("These are dots, not the secret. Enter the secret itself.", code="mask")
        return text


class _Unseen(forms.Field):
    """A hidden value that nobody types. There is no place to say that it is garbled, so a garbled one counts as missing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, required=False, widget=forms.HiddenInput, **kwargs)

    def clean(self, value: Any) -> Any:
        try:
            return super().clean(value)
        except ValidationError:
            return None


class VersionField(_Unseen, forms.IntegerField):
    """The version that somebody began to edit. A missing one is stale."""


class IdField(_Unseen, forms.UUIDField):
    """The id that a new row will have, so that the same form sent twice makes one."""


class MarkField(_Unseen, forms.CharField):
    """A note of the page to itself."""


class UrlField(forms.CharField):
    """An absolute http(s) URL that a call or a browser may be sent to. Plain http only where the operator allows the host."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault(
            "widget", forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false", "inputmode": "url"})
        )
        super().__init__(*args, **kwargs)

    def to_python(self, value: Any) -> str:
        url = str(super().to_python(value) or "")
        if not url:
            return ""
        try:
            outbound.check_url(url)
        except OutboundError as error:
            raise ValidationError(error.detail, code="invalid") from None
        if url.lower().startswith("http:") and not outbound.insecure_allowed(url):
            raise ValidationError("Use https: over plain http a secret could be read on the way.", code="insecure")
        return url


class RowsWidget(forms.Widget):
    """Rows of a name and a value. Posts `<field>_name` and `<field>_value`, repeated; also takes `<field>` as `Name: value` lines."""

    template_name = "django/forms/widgets/rows.html"

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[list[str]]:
        if hasattr(data, "getlist") and f"{name}_name" in data:
            names, values = data.getlist(f"{name}_name"), data.getlist(f"{name}_value")
            rows = [[n.strip(), v.strip()] for n, v in zip(names, [*values, *[""] * len(names)], strict=False)]
        else:
            text = data.get(name) or ""
            if isinstance(text, list):
                return text
            rows = [[part.strip() for part in (*line.split(":", 1), "")[:2]] for line in text.splitlines()]
        return [row for row in rows if any(row)]

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in data and f"{name}_name" not in data

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, None, attrs)
        filled = [*(value or []), ["", ""]]
        context["widget"] |= {
            "rows": [self._row(number, *row) for number, row in enumerate(filled, start=1)],
            "more_rows": [self._row("last but one"), self._row("last")],
            "new_row": self._row("new"),
            "is_secret": False,
        }
        return context

    def _row(self, place: str | int, name: str = "", value: str = "") -> dict[str, Any]:
        return {"place": place, "name": name, "value": value, "is_stored": False}


class RowsField(forms.Field):
    """Rows of names and values, as [[name, value], …]. `placeholders` may stand in the values."""

    widget = RowsWidget

    def __init__(self, *, placeholders: Iterable[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.placeholders = frozenset(placeholders)

    def to_python(self, value: Any) -> list[list[str]]:
        rows = value or []
        for name, text in rows:
            if not name:
                raise ValidationError("There is a value without a name.", code="name")
            self.check(name, text)
            if sentence := placeholders.problem(text, self.placeholders):
                raise ValidationError(f"{name}: {sentence}", code="placeholder")
        if len(rows) > 50:
            raise ValidationError("50 rows are the most.", code="many")
        return list(rows)

    def check(self, name: str, text: str) -> None:
        """Raises ValidationError for a name or value that cannot be sent."""
        if len(name) > 200 or len(text) > 4000 or CONTROL.search(name) or CONTROL.search(text):
            raise ValidationError(f"“{name[:50]}” or its value is too long or holds a line break.", code="value")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return (initial or []) != (data or [])


class HeadersField(RowsField):
    """Rows of HTTP headers. `reserved` ones are set by Gatehouse itself."""

    def __init__(self, *, reserved: Iterable[str] = RESERVED_HEADERS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reserved = frozenset(reserved)

    def check(self, name: str, text: str) -> None:
        if not HEADER_NAME.fullmatch(name):
            raise ValidationError(
                f"“{name[:50]}” cannot be a header name: use letters, digits and hyphens.", code="name"
            )
        if name.lower() in self.reserved:
            raise ValidationError(f"Gatehouse sets {name} itself. Leave it out here.", code="reserved")
        if len(text) > 4000 or CONTROL.search(text) or not text.isascii():
            raise ValidationError(f"The value of {name} must be one line of plain ASCII text.", code="value")


class FieldsField(RowsField):
    """Rows of custom fields; a name is what stands in `{{ field.NAME }}`."""

    def check(self, name: str, text: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", name):
            raise ValidationError(
                f"“{name[:50]}” cannot be a name: use letters, digits, dots and hyphens.", code="name"
            )
        super().check(name, text)


class SecretRowsWidget(RowsWidget):
    """Rows whose values are secret: names are shown, values never. A stored row with a blank value keeps its secret."""

    stored: Iterable[str] = ()  # the names of those that are

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context = super().get_context(name, [[row[0], ""] for row in value or []], attrs)
        context["widget"]["is_secret"] = True
        for row in context["widget"]["rows"]:
            row["is_stored"] = row["name"] in self.stored
        return context


class SecretFieldsField(FieldsField):
    """Custom fields whose values are secret."""

    widget = SecretRowsWidget


class SecretWidget(forms.PasswordInput):
    """Never filled in; says whether one is stored."""

    template_name = "django/forms/widgets/secret.html"
    stored = False

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, None, attrs)
        context["widget"]["stored"] = self.stored
        return context


class SecretTextWidget(forms.Textarea):
    """A secret of several lines, such as a private key: never filled in; says whether one is stored."""

    template_name = "django/forms/widgets/secret_text.html"
    stored = False

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        usual = {"rows": 5, "autocomplete": "off", "spellcheck": "false", "data-mono": True, "data-secret": True}
        super().__init__(usual | (attrs or {}))

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, None, attrs)
        context["widget"]["stored"] = self.stored
        return context


class StatusesField(LineField):
    """One or more HTTP statuses, comma separated."""

    def clean(self, value: Any) -> str:
        text = str(super().clean(value) or "")
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if any(not re.fullmatch(r"[1-5][0-9]{2}", part) for part in parts):
            raise ValidationError(
                "An HTTP status has three digits, such as 401. Separate several by commas.", code="status"
            )
        return ", ".join(parts)


class JsonObjectField(forms.CharField):
    """A JSON object, kept as it was typed."""

    def __init__(self, *, placeholders: Iterable[str] = (), **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "data-mono": True}))
        super().__init__(max_length=20_000, **kwargs)
        self.placeholders = frozenset(placeholders)

    def clean(self, value: Any) -> str:
        text = str(super().clean(value) or "")
        if not text:
            return ""
        try:
            parsed = json.loads(text)
        except ValueError:
            raise ValidationError('This is not JSON. Write it like {"iss": "my-app"}.', code="json") from None
        if not isinstance(parsed, dict):
            raise ValidationError('This must be a JSON object, such as {"iss": "my-app"}.', code="json")
        if sentence := placeholders.problem(text, self.placeholders):
            raise ValidationError(sentence, code="placeholder")
        return text


class TemplateField(forms.CharField):
    """Text in which placeholders may stand."""

    def __init__(self, *, placeholders: Iterable[str], **kwargs: Any) -> None:
        super().__init__(max_length=100_000, **kwargs)
        self.placeholders = frozenset(placeholders)

    def clean(self, value: Any) -> str:
        text = str(super().clean(value) or "")
        if sentence := placeholders.problem(text, self.placeholders):
            raise ValidationError(sentence, code="placeholder")
        return text


class HostsField(forms.Field):
    """host[:port], one a line, as a list."""

    widget = forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "autocomplete": "off"})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        hosts: list[str] = []
        for entry in re.split(r"[\s,]+", str(value or "").strip()):
            if not entry:
                continue
            try:
                host = outbound.host_port(entry if "://" in entry else f"https://{entry}")
            except OutboundError:
                raise ValidationError(
                    f"“{entry[:80]}” is not a host. Write it like api.example.com.", code="host"
                ) from None
            if host not in hosts:
                hosts.append(host)
        if len(hosts) > 20:
            raise ValidationError("20 hosts are the most.", code="many")
        return hosts
