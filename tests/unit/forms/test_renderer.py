"""The controls that are drawn without a template are Django's own, to the letter."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django import forms
from django.forms.renderers import TemplatesSetting
from django.template import engines
from django.utils.safestring import mark_safe

from connections.forms import renderer
from connections.forms.connections import ConnectionForm
from connections.forms.renderer import DRAWN, Renderer
from connections.models import Actor, Connection
from tests import factories

HOSTILE = "\"><script>alert('1')</script>&amp;"
ATTRIBUTES: list[dict[str, Any]] = [
    {},
    {"id": "id_x", "required": True, "disabled": False, "maxlength": 100, "data-note": HOSTILE},
    {"class": mark_safe("a &amp; b"), "rows": "3"},
]
CHOICES: list[Any] = [
    ("", "None of them"),
    (HOSTILE, HOSTILE),
    (1, "A number"),
    ("Group <1>", [("a", "A"), ("b", mark_safe("<b>B</b>"))]),
]
WIDGETS = [
    forms.TextInput(), forms.PasswordInput(), forms.PasswordInput(render_value=True), forms.HiddenInput(), forms.NumberInput(),
    forms.URLInput(), forms.EmailInput(), forms.CheckboxInput(), forms.FileInput(), forms.Textarea(),
    forms.Select(choices=CHOICES),
]  # fmt: skip


def without_line_breaks(html: str) -> str:
    """Between tags they mean nothing; in a text area they do, and stay."""
    return re.sub(r"\s*\n\s*(?=</?(option|optgroup|select))", "", html).strip()


@pytest.mark.parametrize(
    "value", [None, "", "plain", HOSTILE, mark_safe("&lt;safe&gt;"), 0, 1204, True, False, "\n two lines\n"]
)
@pytest.mark.parametrize("attributes", ATTRIBUTES, ids=["bare", "many", "safe"])
@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: type(widget).__name__)
def test_a_control_is_what_django_s_template_draws(
    widget: forms.Widget, attributes: dict[str, Any], value: Any
) -> None:
    name = f"x{HOSTILE}"
    theirs = widget.render(name, value, attributes, renderer=TemplatesSetting())
    assert without_line_breaks(widget.render(name, value, attributes, renderer=Renderer())) == without_line_breaks(
        theirs
    )


def test_every_control_of_the_pane_is_what_django_s_template_draws(by: Actor) -> None:
    connection = factories.connection(by.team, name=HOSTILE)
    for auth_type in ("oauth2", "oauth1", "jwt", "basic", "custom"):
        form = ConnectionForm.shape({"auth_type": auth_type, "name": HOSTILE}, by=by, instance=connection,
                                    application=connection.chosen_application)  # fmt: skip
        for field in form:
            theirs = field.field.widget.render(field.html_name, field.value(), {"id": "x"}, renderer=TemplatesSetting())
            ours = field.field.widget.render(field.html_name, field.value(), {"id": "x"}, renderer=Renderer())
            assert without_line_breaks(ours) == without_line_breaks(theirs), field.name


def test_a_template_that_somebody_puts_over_a_drawn_one_would_not_be_seen() -> None:
    """So there is none: what is drawn here has no template of ours."""
    for name in DRAWN:
        assert "/django/forms/templates/" in str(engines["django"].get_template(name).origin), name


def test_the_field_s_template_finds_every_name_it_looks_for() -> None:
    """What is looked for in vain takes as long as a control, and there are half a hundred fields."""
    source = engines["django"].get_template("django/forms/field.html").template.source
    bound = set(re.findall(r"(\w+)=", re.search(r"{% with (.*?) %}", source)[1]))  # type: ignore[index]
    looked_for = set(re.findall(r"{%-? (?:el)?(?:if|include) (\w+)[ %]", source))
    assert looked_for - bound == set(renderer.FIELD)


def test_a_property_of_the_pane_is_found_although_it_is_no_field(by: Actor) -> None:
    connection = Connection(team=by.team, application="http")
    form = ConnectionForm(by=by, application=connection.chosen_application, instance=connection)
    template = engines["django"].from_string("{{ form.is_oauth2 }} {{ form.name.html_name }} {{ form.nothing }}")
    assert template.render({"form": form}).split() == ["True", "name"]
    with pytest.raises(KeyError):
        form["nothing"]
