"""The icon tag: the same drawing as its file, and no guess where there is none."""

from __future__ import annotations

import pytest
from django.template import TemplateDoesNotExist, engines


def test_an_icon_is_what_its_file_holds() -> None:
    django = engines["django"]
    drawn = django.from_string('{% load icons %}a{% icon "trash" %}b').render()
    assert drawn == f"a{django.get_template('components/icons/trash.html').render().strip()}b"
    assert "<svg" in drawn


def test_an_icon_that_does_not_exist_stops_the_template() -> None:
    with pytest.raises(TemplateDoesNotExist):
        engines["django"].from_string('{% load icons %}{% icon "nothing" %}')
