"""How forms are drawn: by templates, but for the plain controls, of which a pane has half a hundred.

A template for each control, another for each of its options and a third for the attributes of both take longer than all
the rest of the pane together. What is written here is what Django's own templates of the same names write, without the
line breaks between options; a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.forms.renderers import TemplatesSetting
from django.utils.html import conditional_escape
from django.utils.safestring import mark_safe

Widget = dict[str, Any]  # what Widget.get_context puts under "widget"
INPUTS = (
    "text",
    "password",
    "hidden",
    "number",
    "url",
    "email",
    "checkbox",
    "file",
    "input",
)  # radio is a group of them
# What django/forms/field.html may be told besides the field.
FIELD = {"beside": "", "below": "", "hint": ""}


class Renderer(TemplatesSetting):
    """FORM_RENDERER."""

    def render(self, template_name: str, context: dict[str, Any], request: Any = None) -> str:
        draw = DRAWN.get(template_name)
        if draw is None:
            if template_name == self.field_template_name:
                context = FIELD | context  # a name that is looked up in vain takes as long as a control
            return super().render(template_name, context, request)
        return mark_safe(draw(context["widget"]))  # noqa: S308  every part of it is escaped below


def _input(widget: Widget) -> str:
    value = "" if widget["value"] is None else f' value="{conditional_escape(widget["value"])}"'
    return f'<input type="{widget["type"]}" name="{conditional_escape(widget["name"])}"{value}{_attributes(widget)}>'


def _textarea(widget: Widget) -> str:
    text = conditional_escape(widget["value"] or "")
    return f'<textarea name="{conditional_escape(widget["name"])}"{_attributes(widget)}>\n{text}</textarea>'


def _select(widget: Widget) -> str:
    parts = [f'<select name="{conditional_escape(widget["name"])}"{_attributes(widget)}>']
    for group, options, _ in widget["optgroups"]:
        if group:
            parts.append(f'<optgroup label="{conditional_escape(group)}">')
        parts += [
            f'<option value="{conditional_escape(option["value"])}"{_attributes(option)}>{conditional_escape(option["label"])}</option>'
            for option in options
        ]
        if group:
            parts.append("</optgroup>")
    return "".join([*parts, "</select>"])


def _attributes(widget: Widget) -> str:
    """True stands alone, False is left out."""
    return "".join(
        f" {conditional_escape(name)}"
        if value is True
        else f' {conditional_escape(name)}="{conditional_escape(value)}"'
        for name, value in widget["attrs"].items()
        if value is not False
    )


DRAWN: dict[str, Callable[[Widget], str]] = {
    "django/forms/widgets/textarea.html": _textarea,
    "django/forms/widgets/select.html": _select,
    **{f"django/forms/widgets/{name}.html": _input for name in INPUTS},
}
