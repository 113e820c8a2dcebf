"""What a file may say, what it may not, and that all of it is stored or none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connections.actions import clients
from connections.actions.transfers import TransferError
from connections.forms.transfers import Import
from connections.forms.uploads import parse
from connections.models import Connection, Event, OAuthClient
from tests import factories
from tests.unit.oauth.certificates import Authority


def resource(name: str = "One", **http: Any) -> dict[str, Any]:
    """A connection as the platform's API gives it."""
    return {
        "_id": name,
        "type": "http",
        "name": name,
        "http": {"baseURI": "https://api.example.com", "mediaType": "json"} | http,
    }


def oauth(name: str = "One", **more: Any) -> dict[str, Any]:
    auth = {
        "type": "oauth",
        "oauth": {
            "grantType": "authorizecode",
            "authURI": "https://id.example.com/authorize",
            "tokenURI": "https://id.example.com/token",
            "scope": ["read", "write"],
        },
    }
    return resource(name, auth=auth, **more)


def basic(name: str = "One") -> dict[str, Any]:
    return resource(name, auth={"type": "basic", "basic": {"username": "svc", "password": "******"}})


def check(by: Any, *resources: dict[str, Any], clients: Any = (), **options: bool) -> Import:
    file = {"connections": list(resources), "clients": list(clients)}
    coming = Import(parse(json.dumps(file).encode(), "file.json"), by=by, **options)
    list(coming.check())
    return coming


def errors(coming: Import) -> list[tuple[str, str, str]]:
    return [(row.entry.name, field, text) for row in coming.rows for field, text in row.errors]


def test_a_file_of_the_platform_comes_in(by: Any) -> None:
    coming = check(by, oauth(_iClientId="62"))
    assert errors(coming) == []
    (made,), _ = coming.apply()
    assert (made.auth_type, made.grant_type, made.scope) == ("oauth2", "authorization_code", "read write")
    assert made.client_authentication == "client_secret_basic"  # the platform's default
    assert made.status == "draft"
    assert coming.rows[0].needs == ["An OAuth 2.0 client"]
    assert made.failure["error"] == "no_client"


def test_amazon_of_the_platform_becomes_the_application(by: Any) -> None:
    found = oauth(type="vendor_central", unencrypted={"marketplaceId": "A1PA6795UKMFR9", "sellingRegion": "europe"})
    found["http"]["baseURI"] = "https://sellingpartnerapi-eu.amazon.com"
    found["http"]["auth"]["oauth"] |= {
        "tokenURI": "https://api.amazon.com/auth/o2/token",
        "authURI": "https://vendorcentral.amazon.de/apps/authorize/consent",
    }
    coming = check(by, found)
    assert errors(coming) == []
    (made,), _ = coming.apply()
    assert (made.application, made.region, made.marketplace) == ("amazon-vendor-central", "eu", "DE")
    assert made.placement.name == "x-amz-access-token"


def test_templates_of_the_platform_become_ours(by: Any) -> None:
    found = resource(
        headers=[
            {"name": "X-Key", "value": "{{{connection.http.encrypted.apiKey}}}-{{connection.http.unencrypted.tenant}}"}
        ],
        encrypted="******",
        encryptedFields=[{"id": "apiKey"}],
        unencrypted={"tenant": "acme"},
        auth={"type": "custom"},
    )
    coming = check(by, found)
    assert errors(coming) == []
    (made,), _ = coming.apply()
    assert made.headers == [["X-Key", "{{ encrypted.apiKey }}-{{ field.tenant }}"]]
    assert coming.rows[0].needs == ["Encrypted custom field apiKey"]


def test_a_relative_token_request_is_under_the_base_uri(by: Any) -> None:
    token = {"token": "******", "location": "header", "refreshRelativeURI": "/login", "refreshTokenPath": "t"}
    coming = check(by, resource(auth={"type": "token", "token": token}))
    assert errors(coming) == []
    assert coming.arriving[0].fields["token_refresh_url"] == "https://api.example.com/login"


@pytest.mark.parametrize("mask", ["******", "••••••", "●●●", "", None])
def test_a_mask_never_comes_in(by: Any, mask: Any) -> None:
    found = basic()
    found["http"]["auth"]["basic"]["password"] = mask
    coming = check(by, found)
    (made,), _ = coming.apply()
    assert made.password is None
    assert made.status == "draft"
    assert made.failure["error"] == "secret_missing"
    assert coming.rows[0].needs == ["Password"]
    assert coming.in_clear == []


def test_a_secret_in_clear_is_not_taken_and_told(by: Any) -> None:
    found = basic()
    found["http"]["auth"]["basic"]["password"] = factories.SENTINEL
    found["http"]["encrypted"] = {"key": factories.SENTINEL}
    upload = parse(json.dumps(found).encode(), "f")
    assert factories.SENTINEL not in json.dumps(upload.as_json())
    coming = check(by, found)
    assert [path for path, _ in coming.in_clear] == ["http.auth.basic.password", "http.encrypted"]
    (made,), _ = coming.apply()
    assert (made.password, made.encrypted_fields) == (None, None)
    assert factories.SENTINEL not in str(list(Event.objects.values_list("detail", flat=True)))


def test_a_clients_secret_in_a_file_is_not_taken(by: Any) -> None:
    told = {"_id": "c", "name": "C", "client_id": "id", "client_secret": factories.SENTINEL}
    upload = parse(json.dumps({"clients": [told]}).encode(), "f")
    assert factories.SENTINEL not in json.dumps(upload.as_json())
    coming = check(by, clients=[told])
    _, (client,) = coming.apply()
    assert client.client_secret is None
    assert coming.unknown == [("clients.client_secret", ["C"])]


def test_unknown_keys_are_listed_with_the_connections_that_have_them(by: Any) -> None:
    one, two = basic("One"), basic("Two")
    one["http"]["disableStrictSSL"] = True
    two["http"]["disableStrictSSL"] = True
    two["http"]["deeper"] = {"still": {"there": 1}}
    two["http"]["nothing"] = {}
    assert check(by, one, two).unknown == [
        ("http.disableStrictSSL", ["One", "Two"]),
        ("http.deeper.still.there", ["Two"]),
    ]


def test_a_key_that_does_not_apply_is_listed(by: Any) -> None:
    found = basic()
    found["http"]["auth"]["cookie"] = {"uri": "https://api.example.com/login"}
    found["http"]["ping"] = {"method": "GET", "body": "left over"}
    paths = [path for path, _ in check(by, found).unknown]
    assert paths == ["http.auth.cookie.uri", "http.ping.body"]


def test_other_types_are_named_and_left_out(by: Any) -> None:
    coming = check(by, basic(), {"_id": "f", "type": "ftp", "name": "Files", "ftp": {}})
    assert coming.upload.skipped == [["Files", "it is of type ftp, not http"]]
    assert len(coming.arriving) == 1


def test_an_error_names_the_connection_and_the_field(by: Any) -> None:
    bad = basic("Bad") | {"http": basic()["http"] | {"baseURI": "ftp://x", "concurrencyLevel": 500}}
    found = errors(check(by, basic("Good"), bad))
    assert [(name, field) for name, field, _ in found] == [("Bad", "Base URI"), ("Bad", "Concurrency level")]


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("baseURI", {"a": 1}, "Base URI"),
        ("headers", "X: 1", "HTTP headers"),
        ("headers", [["X", "1"]], "HTTP headers"),
        ("headers", [{"name": "Host", "value": "evil"}], "HTTP headers"),
        ("headers", [{"name": "X", "value": "a\r\nY: b"}], "HTTP headers"),
        ("concurrencyLevel", "many", "Concurrency level"),
        ("concurrencyLevel", True, "Concurrency level"),
        ("mediaType", "toml", "Media type"),
        ("unencrypted", {"a": {"b": 1}}, "Unencrypted custom fields"),
    ],
)
def test_a_value_of_the_wrong_kind_is_an_error_of_its_field(by: Any, path: str, value: Any, field: str) -> None:
    found = basic()
    found["http"][path] = value
    coming = check(by, found)
    assert field in {label for _, label, _ in errors(coming)}
    assert not coming.may_apply


def test_one_bad_connection_keeps_all_out(by: Any) -> None:
    coming = check(by, *(basic(f"C{number}") for number in range(20)), resource("Bad", baseURI=""))
    assert coming.has_errors
    assert not coming.may_apply
    assert Connection.objects.count() == 0


def test_what_fails_while_storing_takes_everything_back(by: Any, team: Any) -> None:
    """Two connections that would send one new client's secret to two hosts."""
    first, second = oauth("First", _iClientId="c"), oauth("Second", _iClientId="c")
    second["http"]["auth"]["oauth"]["tokenURI"] = "https://other.example.com/token"
    coming = check(by, first, second, clients=[{"_id": "c", "name": "C", "client_id": "id"}])
    assert coming.may_apply
    with pytest.raises(TransferError, match="Second, Access token URL"):
        coming.apply()
    assert (Connection.objects.count(), OAuthClient.objects.count(), Event.objects.count()) == (0, 0, 0)


def test_the_same_file_twice_makes_copies_only_if_asked(by: Any) -> None:
    check(by, basic()).apply()
    again = check(by, basic())
    assert [row.entry.name for row in again.existing] == ["One"]
    assert not again.may_apply
    for name in ("One (copy)", "One (copy 2)"):
        (made,), _ = check(by, basic(), copies=True).apply()
        assert made.name == name
    assert Connection.objects.count() == 3


def test_a_client_of_the_same_client_id_is_used(by: Any, team: Any) -> None:
    mine = factories.oauth_client(team, client_id="id", secret_hosts=["id.example.com"])
    told = {"_id": "c", "name": "C", "client_id": "id", "application_id": "", "secret_hosts": []}
    coming = check(by, oauth(_iClientId="c"), clients=[told])
    assert coming.matched == [mine]
    (made,), made_clients = coming.apply()
    assert (made.oauth_client, made_clients) == (mine, [])
    assert coming.rows[0].needs == []


def test_or_a_second_one_is_made_where_that_is_asked_for(by: Any, team: Any) -> None:
    mine = factories.oauth_client(team, client_id="id", secret_hosts=["id.example.com"])
    told = {"_id": "c", "name": "C", "client_id": "id", "application_id": "", "secret_hosts": ["id.example.com"]}
    (made,), (client,) = check(by, oauth(_iClientId="c"), clients=[told], new_clients=True).apply()
    assert made.oauth_client == client != mine
    assert client.secret_hosts == ["id.example.com"]


def test_a_client_is_found_by_the_client_id_in_the_connection(by: Any, team: Any) -> None:
    mine = factories.oauth_client(team, client_id="id", secret_hosts=["id.example.com"])
    found = oauth(_iClientId="not in the file")
    found["http"]["auth"]["oauth"]["clientId"] = "id"
    (made,), _ = check(by, found).apply()
    assert made.oauth_client == mine


def test_another_teams_client_is_never_found(by: Any, charlie: Any) -> None:
    theirs = factories.oauth_client(charlie.team, client_id="id")
    found = oauth(_iClientId=str(theirs.pk))
    found["http"]["auth"]["oauth"]["clientId"] = "id"
    (made,), _ = check(by, found).apply()
    assert made.oauth_client is None


def test_a_file_cannot_send_a_secret_to_another_host(by: Any, team: Any) -> None:
    mine = factories.oauth_client(team, client_id="id", secret_hosts=["id.example.com"])
    found = oauth(_iClientId="c")
    found["http"]["auth"]["oauth"]["tokenURI"] = "https://evil.example.net/token"
    coming = check(
        by, found, clients=[{"_id": "c", "name": "C", "client_id": "id", "secret_hosts": ["evil.example.net"]}]
    )
    assert [field for _, field, _ in errors(coming)] == ["Access token URL"]
    mine.refresh_from_db()
    assert mine.secret_hosts == ["id.example.com"]


def test_a_file_cannot_choose_the_first_host_of_a_secret_that_somebody_else_entered(
    by: Any, bob: Any, team: Any
) -> None:
    clients.create(
        by=factories.actor(team),
        name="C",
        client_id="id",
        client_secret=factories.SENTINEL,
        application_id="",
        secret_hosts=[],
    )
    coming = check(by, oauth(_iClientId="c"), clients=[{"_id": "c", "name": "C", "client_id": "id"}])
    assert [field for _, field, _ in errors(coming)] == ["Access token URL"]


def test_borrowing_is_kept_within_the_file_whatever_the_order(by: Any) -> None:
    borrower, lender = basic("A borrower"), basic("Lender")
    borrower["_borrowConcurrencyFromConnectionId"] = "Lender"
    made, _ = check(by, borrower, lender).apply()
    assert {connection.name: connection.borrow_from and connection.borrow_from.name for connection in made} == {
        "A borrower": "Lender",
        "Lender": None,
    }


def test_borrowing_from_one_that_is_here_already(by: Any) -> None:
    (lender,), _ = check(by, basic("Lender")).apply()
    borrower = basic("Borrower") | {"_borrowConcurrencyFromConnectionId": "Lender"}
    (made,), _ = check(by, borrower, basic("Lender")).apply()
    assert made.borrow_from == lender


@pytest.mark.parametrize("lender", ["Lender", "Self"])
def test_a_lender_that_borrows_is_an_error(by: Any, lender: str) -> None:
    one = basic("Self") | {"_borrowConcurrencyFromConnectionId": lender}
    two = basic("Lender") | {"_borrowConcurrencyFromConnectionId": "Self"}
    assert ("Self", "Borrow concurrency from") in [found[:2] for found in errors(check(by, one, two))]


def test_a_lender_that_is_nowhere_is_listed(by: Any) -> None:
    coming = check(by, basic() | {"_borrowConcurrencyFromConnectionId": "gone"})
    assert coming.unknown == [("_borrowConcurrencyFromConnectionId (no such connection here)", ["One"])]
    assert coming.may_apply


def test_every_arrival_leaves_an_event(by: Any) -> None:
    check(by, basic("One"), basic("Two")).apply()
    assert list(Event.objects.order_by("number").values_list("action", flat=True)) == [
        "connection.create",
        "connection.create",
        "connection.import",
    ]


def test_a_deep_object_below_the_limit_of_json_is_no_trouble(by: Any) -> None:
    deep: Any = 1
    for _ in range(300):
        deep = {"x": deep}
    coming = check(by, basic() | {"deep": deep})
    assert coming.unknown[0][0].startswith("deep.x")
    assert coming.may_apply


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb", 7, None, ["a"]])
def test_a_name_that_is_none_is_an_error(by: Any, name: Any) -> None:
    coming = check(by, basic() | {"name": name})
    assert (name == 7) == (not coming.has_errors)


def test_a_name_may_be_anything_else(by: Any) -> None:
    name = '=HYPERLINK("http://x") <script>alert(1)</script> {{ 7*7 }} {% now %} \' OR 1=1'
    (made,), _ = check(by, basic(name)).apply()
    assert made.name == name


def test_a_thousand_connections_come_in_together(by: Any) -> None:
    made, _ = check(by, *(basic(f"C{number}") for number in range(1_000))).apply()
    assert len(made) == Connection.objects.count() == 1_000


def test_a_client_certificate_comes_in_and_needs_its_key(by: Any, tmp_path: Any) -> None:
    certificate, key = Authority.new(tmp_path).issue("me")
    found = basic()
    found["http"]["clientCertificates"] = {"cert": certificate, "key": key, "passphrase": "******"}
    coming = check(by, found)
    assert errors(coming) == []
    (made,), _ = coming.apply()
    assert made.tls_certificate == certificate.strip()
    assert made.tls_key is None
    assert coming.rows[0].needs == ["Password", "TLS client key", "Passphrase of the TLS client key"]
    assert coming.in_clear == [("http.clientCertificates.key", 1)]
