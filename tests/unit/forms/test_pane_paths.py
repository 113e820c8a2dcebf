"""A path that nothing can be found by is told where it was typed."""

import pytest
from django.http import QueryDict

from connections.forms.connections import ConnectionForm
from connections.models import Connection
from tests import factories


def errors(team, by, **typed):
    connection = factories.connection(team)
    data = QueryDict(mutable=True)
    data.update(factories.pane_values(connection, **typed))
    form = ConnectionForm(data, by=by, application=connection.chosen_application, instance=Connection.objects.get())
    form.is_valid()
    return form.errors


@pytest.mark.parametrize(
    ("media_type", "path"), [("json", "errors[0].code"), ("json", "$.a.b"), ("xml", "/response/code"), ("json", "")]
)
def test_a_path_that_fits_the_media_type_is_taken(team, by, media_type, path):
    assert "ping_fail_path" not in errors(team, by, media_type=media_type, ping_fail_path=path)


@pytest.mark.parametrize(("media_type", "path"), [("json", "a[b"), ("xml", "///["), ("text", "a.b")])
def test_a_path_that_cannot_be_read_is_told_at_the_field(team, by, media_type, path):
    assert "ping_fail_path" in errors(team, by, media_type=media_type, ping_fail_path=path)


@pytest.mark.parametrize("path", ["refresh_token", "data.refresh_token"])
def test_the_refresh_token_never_passes_for_the_access_token(team, by, path):
    assert "access_token_path" in errors(team, by, access_token_path=path)
