import re

from django.core.management import call_command

from connections.actions import teams


def test_it_prints_a_link_that_works(db, capsys, settings):
    call_command("setup_link")
    url = re.search(r"https://\S+", capsys.readouterr().out)[0]
    assert url.startswith(f"{settings.PUBLIC_URL}/setup/")
    teams.check_setup_token(url.rstrip("/").rsplit("/", 1)[-1])


def test_the_link_opens_the_setup_page(db, client, capsys, settings):
    call_command("setup_link")
    url = re.search(r"https://\S+", capsys.readouterr().out)[0]
    response = client.get(url.removeprefix(settings.PUBLIC_URL), secure=True)
    assert response.status_code == 200


def test_once_set_up_it_prints_none(alice, capsys):
    call_command("setup_link")
    said = capsys.readouterr().out
    assert "is set up" in said
    assert "http" not in said
