"""A browser without script: reads a page's forms as they stand, changes fields, presses buttons."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

from django.test import Client


@dataclass
class Button:
    text: str = ""
    name: str = ""
    value: str = ""
    formaction: str = ""


@dataclass
class Form:
    action: str
    id: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)  # a select's values

    @property
    def values(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, value in self.fields:
            found.setdefault(name, []).append(value)
        return found

    def button(self, text: str) -> Button:
        return next(button for button in self.buttons if button.text == text)


class Page(HTMLParser):
    """What a person sees: `forms`, `text`, and by id `errors` ("…_error") and the attributes of every control."""

    def __init__(self, response: Any) -> None:
        super().__init__()
        self.response, self.status = response, response.status_code
        self.path: str = response.request["PATH_INFO"]
        streaming = getattr(response, "streaming", False)
        self.html: str = (b"".join(response.streaming_content) if streaming else response.content).decode()
        self.forms: list[Form] = []
        self.controls: dict[str, dict[str, str | None]] = {}
        self.errors: dict[str, str] = {}
        self.text = ""
        self._form: Form | None = None
        self._templates = 0
        self._select = self._textarea = self._error = ""
        self._button: Button | None = None
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self._templates += tag == "template"
        if self._templates:
            return
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self._form = Form(given.get("action") or self.path, given.get("id") or "")
            if given.get("method") != "dialog":  # those are for the script
                self.forms.append(self._form)
        if tag == "ul" and (given.get("id") or "").endswith("_error"):
            self._error = given["id"] or ""
            self.errors[self._error] = ""
        if tag in ("input", "select", "textarea") and name:
            self.controls.setdefault(name, given)
        if not self._form:
            return
        if tag == "button" and given.get("type", "submit") == "submit":
            self._button = Button("", name, value, given.get("formaction") or "")
            self._form.buttons.append(self._button)
        elif "disabled" in given or (not name and tag != "option"):
            return
        elif tag == "input":
            kind = given.get("type", "text")
            if kind == "password":
                assert not value, "a secret was written into the page"
            if kind not in ("checkbox", "radio") or "checked" in given:
                self._form.fields.append((name, value or ("on" if kind == "checkbox" else "")))
        elif tag == "select":
            self._select = name
            self._form.choices[name] = []
        elif tag == "option" and self._select:
            if "selected" in given or not self._form.choices[self._select]:
                self._form.fields = [pair for pair in self._form.fields if pair[0] != self._select]
                self._form.fields.append((self._select, value))
            self._form.choices[self._select].append(value)
        elif tag == "textarea":
            self._textarea = name
            self._form.fields.append((name, ""))

    def handle_endtag(self, tag: str) -> None:
        self._templates -= tag == "template"
        if tag == "form":
            self._form = None
        elif tag == "button" and self._button:
            self._button.text = " ".join(self._button.text.split())
            self._button = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""
        elif tag == "ul":
            self._error = ""

    def handle_data(self, data: str) -> None:
        if self._templates:
            return
        self.text += data
        if self._textarea and self._form:
            name, value = self._form.fields.pop()
            data = data.removeprefix("\r\n").removeprefix("\n") if not value else data
            self._form.fields.append((name, value + data))
        if self._button:
            self._button.text += data
        if self._error:
            self.errors[self._error] += data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    @property
    def form(self) -> Form:
        """The page's own form: a pane, or else the last one."""
        return next((form for form in self.forms if form.id in ("pane", "client")), self.forms[-1])

    def value(self, name: str) -> str:
        return self.form.values[name][0]

    def error(self, name: str) -> str:
        """The error at a control, which must be tied to it for eye and ear; "" where there is none."""
        control = self.controls[name]
        tied = f"{control['id']}_error"
        if tied not in self.errors:
            return ""
        assert control.get("aria-invalid") == "true", f"{name} is not marked invalid"
        assert tied in (control.get("aria-describedby") or "").split(), f"the error of {name} is not tied to it"
        return self.errors[tied].strip()


def visit(client: Client, url: str, **headers: Any) -> Page:
    return Page(client.get(url, **headers))


def press(client: Client, page: Page, button: str, typed: dict[str, Any] | None = None, **headers: Any) -> Page:
    """Type over some fields (None leaves a field out), press a button; the answer, not followed."""
    pressed = page.form.button(button)
    posted: dict[str, Any] = page.form.values
    if pressed.name:
        posted[pressed.name] = pressed.value
    for name, value in (typed or {}).items():
        posted.pop(name, None)
        if value is not None:
            posted[name] = value
    return Page(client.post(urljoin(page.path, pressed.formaction or page.form.action), posted, **headers))
