"""Use this connection: what is printed is what was meant, whatever a person typed; tests/browser/test_snippets.py runs it."""

from __future__ import annotations

import ast
import re
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from connections.models import Connection, Team
from connections.models.choices import AuthType
from tests import factories
from tests.unit.views.pages import visit

API = "https://gatehouse.example.com/api/v1/connections"
HOSTILE = '\'; touch pwned; \'"; $(touch pwned) `touch pwned` \\ " + exit() + " # {0} %s {{ 7 }}'
# In place of the programs: they write down what they were given.
STUBS = """
curl() { printf '%s\\0' curl "$@" >> told; echo '{"access_token": "T|1"}'; }
jq() { cat > /dev/null; echo 'T|1'; }
GATEHOUSE_KEY=gth_key
"""


def address(connection: Connection) -> str:
    return f"/connections/{connection.pk}/use/"


def printed(person: Client, connection: Connection) -> dict[str, str]:
    """The snippets of the page, by their label."""
    html = visit(person, address(connection)).html
    found = re.findall(r'<strong id="[\w-]+-label">(.*?)</strong>.*?<pre id="([\w-]+)"[^>]*>(.*?)</pre>', html, re.S)
    return {id: unescape(text) for _, id, text in found}


def commands(text: str, folder: Path) -> list[list[str]]:
    """What a shell would start: the arguments of each curl."""
    subprocess.run(["bash", "-c", STUBS + text], cwd=folder, check=True, capture_output=True)
    assert not (folder / "pwned").exists()
    told = (folder / "told").read_bytes().decode().split("\0")[:-1]
    (folder / "told").unlink()
    starts = [at for at, word in enumerate(told) if word == "curl"]
    return [told[at + 1 : end] for at, end in zip(starts, [*starts[1:], len(told)], strict=True)]


def constants(text: str) -> set[str]:
    """Every string of a program that Python can read."""
    return {
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def calls(text: str) -> list[str]:
    return [ast.unparse(node.func) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]


@pytest.fixture
def plain(team: Team) -> Connection:
    return factories.connection(
        team, name="Bolts", application="http", base_uri="https://api.example.com/v2", status="online",
        authorization_url="https://id.example.com/authorize", token_url="https://id.example.com/token", ping_path="/bolts?limit=1",
    )  # fmt: skip


def change(connection: Connection, **fields: Any) -> None:
    Connection.objects.filter(pk=connection.pk).update(**fields)


def test_a_shell_is_told_the_token_where_the_connection_sends_it(
    as_mona: Client, plain: Connection, tmp_path: Path
) -> None:
    snippets = printed(as_mona, plain)
    assert list(snippets) == ["token-curl", "token-python", "proxy-curl", "proxy-python"]
    usual = ["-sS", "--fail-with-body"]
    key = ["-H", "Authorization: Bearer gth_key"]
    assert commands(snippets["token-curl"], tmp_path) == [
        [*usual, *key, f"{API}/{plain.pk}/token"],
        [
            *usual,
            "-H",
            "Accept: application/json",
            "-H",
            "Authorization: Bearer T|1",
            "https://api.example.com/v2/bolts?limit=1",
        ],
    ]
    assert commands(snippets["proxy-curl"], tmp_path) == [[*usual, *key, f"{API}/{plain.pk}/proxy/bolts?limit=1"]]


@pytest.mark.parametrize(
    ("fields", "given", "python"),
    [
        ({"token_header": "X-Token", "token_scheme": ""}, ["-H", "X-Token: T|1"], '"X-Token": access_token()'),
        ({"token_scheme": "MAC"}, ["-H", "Authorization: MAC T|1"], '"Authorization": "MAC " + access_token()'),
        ({"token_location": "query", "token_param": "key"}, ["--get", "--data-urlencode", "key=T|1"],
         'params={"key": access_token()}'),
    ],
)  # fmt: skip
def test_each_place_of_a_token_is_obeyed(
    as_bob: Client, plain: Connection, tmp_path: Path, fields: dict[str, str], given: list[str], python: str
) -> None:
    change(plain, **fields)
    snippets = printed(as_bob, plain)
    call = commands(snippets["token-curl"], tmp_path)[1]
    assert call[4 : 4 + len(given)] == given
    assert python in snippets["token-python"]
    assert ("Authorization: Bearer T|1" in call) is False


def test_amazon_gets_the_bare_token_in_its_own_header_and_its_own_sdk(
    as_bob: Client, team: Team, tmp_path: Path
) -> None:
    vendor = factories.connection(team)
    snippets = printed(as_bob, vendor)
    assert "x-amz-access-token: T|1" in commands(snippets["token-curl"], tmp_path)[1]
    assert '"x-amz-access-token": access_token()' in snippets["token-python"]
    assert "VendorOrdersApi(ApiClient(configuration))" in snippets["token-sdk"]
    assert '"https://sellingpartnerapi-na.amazon.com"' in snippets["token-sdk"]
    for text in snippets.values():
        assert not re.search("refresh_token|client_secret|client_id", text)


@pytest.mark.parametrize(
    ("fields", "call"),
    [
        ({"application": "amazon-seller-central"}, "SellersApi"),
        ({"base_uri": "https://sandbox.sellingpartnerapi-na.amazon.com"}, "get_purchase_orders(limit=1)"),
        ({"grant_type": "client_credentials", "scope": "sellingpartnerapi::notifications"}, "NotificationsApi"),
        ({"application": "http", "base_uri": "https://sellingpartnerapi-eu.amazon.com/vendor"}, "VendorOrdersApi"),
        ({"grant_type": "client_credentials", "scope": "sellingpartnerapi::shipments:track"}, None),
        ({"application": "login-with-amazon", "base_uri": "https://api.amazon.com"}, None),
    ],
)  # fmt: skip
def test_the_sdk_is_offered_for_what_it_can_call(
    as_bob: Client, team: Team, fields: dict[str, str], call: str | None
) -> None:
    text = printed(as_bob, factories.connection(team, **fields)).get("token-sdk")
    assert (text is None) is (call is None)
    if text and call:
        ast.parse(text)
        assert call in text
        assert re.search(r'host = "https://[\w.-]+"\n', text)


@pytest.mark.parametrize("auth_type", [each for each in AuthType.values if each != "oauth2"])
def test_other_authentication_types_go_through_gatehouse_alone(
    as_bob: Client, plain: Connection, auth_type: str
) -> None:
    change(plain, auth_type=auth_type)
    assert list(printed(as_bob, plain)) == ["proxy-curl", "proxy-python"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [({"token_location": "body", "ping_method": "POST"}, "takes the token in the body"),
     ({"tls_certificate": "-----BEGIN CERTIFICATE-----"}, "TLS client certificate")],
)  # fmt: skip
def test_what_only_gatehouse_can_do_is_said(
    as_bob: Client, plain: Connection, fields: dict[str, str], why: str
) -> None:
    change(plain, **fields)
    assert list(printed(as_bob, plain)) == ["proxy-curl", "proxy-python"]
    assert why in visit(as_bob, address(plain)).words


def test_headers_of_the_connection_are_sent_but_for_those_that_hold_a_secret(
    as_bob: Client, plain: Connection, tmp_path: Path
) -> None:
    change(plain, headers=[["X-Version", "7"], ["accept", "text/csv"], ["X-Key", "{{ encrypted.key }}"]])
    snippets = printed(as_bob, plain)
    call = commands(snippets["token-curl"], tmp_path)[1]
    assert [word for word in call if re.match("(?i)x-version|accept|x-key", word)] == [
        "X-Version: 7",
        "accept: text/csv",
    ]
    assert {"X-Version", "7", "text/csv"} <= constants(snippets["token-python"])
    assert "Only Gatehouse can send X-Key" in visit(as_bob, address(plain)).words


def test_a_test_call_with_a_body_is_made_with_it(as_bob: Client, plain: Connection, tmp_path: Path) -> None:
    body = '{"a": "it\'s",\n "b": "$HOME `x` \\\\"}'
    change(plain, ping_method="POST", ping_path="search", ping_body=body)
    snippets = printed(as_bob, plain)
    for text in (snippets["token-curl"], snippets["proxy-curl"]):
        call = commands(text, tmp_path)[-1]
        assert call[call.index("-X") + 1] == "POST"
        assert call[call.index("--data-raw") + 1] == body
        assert "Content-Type: application/json" in call
    for text in (snippets["token-python"], snippets["proxy-python"]):
        assert "requests.post" in calls(text)
        assert {body, "application/json"} <= constants(text)
    change(plain, token_location="query")
    call = commands(printed(as_bob, plain)["token-curl"], tmp_path)[-1]
    assert call[call.index("--url-query") + 1] == "access_token=T|1"


@pytest.mark.parametrize(
    "fields",
    [{"media_type": "form-data", "ping_method": "POST", "ping_body": "{}"}, {"ping_path": "../up"},
     {"ping_method": "HEAD", "ping_path": ""}],
)  # fmt: skip
def test_a_test_call_that_no_program_could_make_gives_way_to_the_base_uri(
    as_bob: Client, plain: Connection, tmp_path: Path, fields: dict[str, str]
) -> None:
    change(plain, **fields)
    snippets = printed(as_bob, plain)
    assert commands(snippets["token-curl"], tmp_path)[1][-1] == "https://api.example.com/v2"
    assert commands(snippets["proxy-curl"], tmp_path)[0][-1] == f"{API}/{plain.pk}/proxy/"
    assert "requests.get" in calls(snippets["proxy-python"])


def test_nothing_that_a_person_typed_breaks_out_of_a_snippet(as_bob: Client, plain: Connection, tmp_path: Path) -> None:
    """Neither out of the shell's word, nor Python's string, nor the page."""
    text = f"</pre><script>alert(1)</script>{HOSTILE}\n\r\u2028"
    line = text.replace("\n", "").replace("\r", "").replace("{{", "").replace("\u2028", "")
    change(
        plain, name=text[:100], ping_path="/" + line, ping_method="POST", ping_body=text, token_header="X-Token",
        token_scheme="$(touch pwned)'\"`", headers=[["X-A", line]], base_uri="https://api.example.com/$(touch%20pwned)'v2",
    )  # fmt: skip
    page = visit(as_bob, address(plain))
    assert "<script>alert" not in page.html
    snippets = printed(as_bob, plain)
    assert len(snippets) == 4
    body = text.replace("\r", "\n")  # how a page's text is read
    for name in ("token-curl", "proxy-curl"):
        call = commands(snippets[name], tmp_path)[-1]
        assert call[call.index("--data-raw") + 1].replace("\r", "\n") == body
        assert re.fullmatch(r"https://[\x21-\x7e]+", call[-1])
    call = commands(snippets["token-curl"], tmp_path)[-1]
    assert f"X-A: {line}" in call and "X-Token: $(touch pwned)'\"` T|1" in call
    assert call[-1].startswith("https://api.example.com/$(touch%20pwned)'v2/%3C/pre%3E%3Cscript")
    assert {line, "$(touch pwned)'\"` "} <= constants(snippets["token-python"])
    for name in ("token-python", "proxy-python"):
        assert "exit" not in calls(snippets[name])
        assert text in constants(snippets[name])


def test_a_draft_and_an_offline_one_say_so_above(as_bob: Client, plain: Connection) -> None:
    assert "no token yet" not in visit(as_bob, address(plain)).words
    change(plain, status="draft")
    assert "It has no token yet." in visit(as_bob, address(plain)).words
    change(plain, status="offline")
    assert "It is offline." in visit(as_bob, address(plain)).words


def test_who_may_not_make_keys_is_told_whom_to_ask(as_alice: Client, as_mona: Client, plain: Connection) -> None:
    assert f"/team/api-keys/new/?connection={plain.pk}" in visit(as_alice, address(plain)).html
    page = visit(as_mona, address(plain))
    assert "api-keys" not in page.html
    assert "Ask an owner or administrator" in page.words


def test_the_fragment_is_the_same_without_its_page(as_bob: Client, plain: Connection) -> None:
    html = as_bob.get(address(plain), headers={"HX-Request": "true"}).content.decode()
    assert html.strip().startswith('<div class="use" id="use">') and "<html" not in html
    assert html.count("<pre") == 4


def test_the_pane_leads_there_without_printing_it(as_bob: Client, as_mona: Client, plain: Connection) -> None:
    for person in (as_bob, as_mona):
        page = visit(person, f"/connections/{plain.pk}/")
        assert f'href="{address(plain)}"' in page.html
        assert "GATEHOUSE_KEY" not in page.html


def test_a_new_pane_has_neither(as_bob: Client) -> None:
    page = visit(as_bob, "/connections/new/http/")
    assert "Use this connection" not in page.words and "History" not in page.words


def test_no_stored_secret_is_opened_or_printed(as_bob: Client, team: Team) -> None:
    secret = factories.SENTINEL
    kept = factories.connection(team, token=secret, password=secret, encrypted_fields=f'{{"a": "{secret}"}}')
    factories.grant(kept, access_token=secret, refresh_token=secret)
    assert secret not in visit(as_bob, address(kept)).html


def test_it_takes_few_queries(as_bob: Client, plain: Connection) -> None:
    as_bob.get(address(plain))
    with CaptureQueriesContext(database) as captured:
        as_bob.get(address(plain))
    assert len(captured) <= 4
