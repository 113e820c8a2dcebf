"""What is written to a file is what comes back from it, key by key, and no secret is ever in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connections.actions import transfers
from connections.forms.transfers import Import
from connections.forms.uploads import parse
from connections.models import Connection, Event
from connections.models.choices import AuthType
from connections.models.pane import PLAIN, SECRET
from tests import factories

ROWS = [["X-One", "1"], ["X-Two", "{{ field.tenant }} and <b>&amp;"]]
SETTINGS: dict[str, Any] = {
    "base_uri": "https://api.example.com/v1",
    "headers": ROWS,
    "media_type": "text",
    "success_media_type": "csv",
    "error_media_type": "xml",
    "auth_fail_status": "401, 403",
    "auth_fail_path": "error.code",
    "auth_fail_values": "expired, gone",
    "rate_wait_ms": 250,
    "rate_fail_status": "503",
    "rate_fail_path": "error.kind",
    "rate_fail_values": "slow",
    "retry_header": "X-Wait",
    "ping_method": "POST",
    "ping_path": "/me?limit=1",
    "ping_body": '{"a": 1}',
    "ping_success_path": "ok",
    "ping_success_values": "yes, true",
    "ping_fail_path": "failed",
    "ping_fail_values": "1",
    "ping_error_path": "message",
    "concurrency": 7,
    "fields": [["tenant", "acme"], ["plan", "a&b=c"]],
}
SCHEMES: dict[str, dict[str, Any]] = {
    "oauth2": {
        "grant_type": "authorization_code",
        "client_authentication": "client_secret_basic",
        "authorization_url": "https://id.example.com/authorize",
        "token_url": "https://id.example.com/token",
        "revoke_url": "https://id.example.com/revoke",
        "scope": "read write",
        "scope_delimiter": ",",
        "pkce": "plain",
        "authorization_params": [["access_type", "offline"]],
        "code_param": "kode",
        "token_headers": [["X-Tenant", "{{ field.tenant }}"]],
        "token_body": [
            ["audience", "https://api.example.com/?a=1&b=2"],
            ["who", "{{ client_id }} + {{ field.tenant }}"],
        ],
        "refresh_headers": [["X-R", "1"]],
        "refresh_body": [["again", "a b"]],
        "revoke_headers": [["X-V", "1"]],
        "revoke_body": [["token", "{{ token }}"]],
        "access_token_path": "data.access",
        "refresh_token_path": "data.refresh",
        "expires_in_path": "data.seconds",
        "token_location": "query",
        "token_param": "key",
    },
    "token": {
        "token": factories.SENTINEL,
        "token_header": "X-Key",
        "token_scheme": "Key",
        "token_refresh_url": "https://api.example.com/v1/tokens",
        "token_refresh_method": "POST",
        "token_refresh_headers": [["X-T", "{{ token }}"]],
        "token_refresh_body": "old={{ token }}&tenant={{ field.tenant }}",
        "token_refresh_path": "data.token",
    },
    "basic": {"username": "svc", "password": factories.SENTINEL},
    "digest": {"username": "svc", "password": factories.SENTINEL},
    "wsse": {"username": "svc", "password": factories.SENTINEL, "wsse_header": "X-Mine"},
    "cookie": {
        "cookie_method": "POST",
        "cookie_url": "https://api.example.com/login",
        "cookie_body": "tenant={{ field.tenant }}",
        "cookie_status": "204",
    },
    "oauth1": {
        "oauth1_signature_method": "HMAC-SHA256",
        "oauth1_consumer_key": "ck",
        "oauth1_consumer_secret": factories.SENTINEL,
        "oauth1_token": factories.SENTINEL,
        "oauth1_token_secret": factories.SENTINEL,
        "oauth1_realm": "here",
    },
    "jwt": {
        "jwt_algorithm": "HS384",
        "jwt_secret": factories.SENTINEL,
        "jwt_payload": '{"iss": "me", "aud": "{{ field.tenant }}"}',
        "jwt_headers": '{"kid": "1"}',
    },
    "custom": {
        "custom_headers": [["X-Auth", "{{ field.tenant }}"]],
        "custom_query": [["k", "v"]],
        "media_type": "json",
    },
    "none": {},
}
NEVER_LEAVES = {"oauth1_token"}  # the platform treats it as a secret


def make(team: Any, auth_type: str, **more: Any) -> Connection:
    """With an OAuth 2.0 client where it needs one, and encrypted custom fields in any case."""
    fields = SETTINGS | SCHEMES[auth_type] | more
    client = None
    if auth_type == "oauth2":
        client = factories.oauth_client(team, client_secret=factories.SENTINEL, secret_hosts=["id.example.com"])
    sealed = {"encrypted_fields": json.dumps({"api_key": factories.SENTINEL}), "encrypted_field_names": ["api_key"]}
    made = Connection(
        team=team,
        application="http",
        name=f"{auth_type} <b>=1+1",
        auth_type=auth_type,
        oauth_client=client,
        **fields,
        **sealed,
    )
    made.save(force_insert=True)
    return made


def exported(by: Any, connection: Connection | None = None) -> str:
    return "".join(transfers.export(by=by, connection=connection))


def test_every_field_of_the_pane_has_its_key() -> None:
    fields = {key.field for key in transfers.KEYS}
    assert fields == {"name", *PLAIN, *SECRET} - {"oauth_client", "borrow_from"}


def test_a_path_stands_for_one_field_with_each_authentication_type() -> None:
    for auth_type in AuthType.values:
        paths = [path for key in transfers.KEYS if key.applies(auth_type) for path in (key.path, *key.also)]
        assert len(paths) == len(set(paths)), auth_type


@pytest.mark.parametrize("auth_type", SCHEMES)
def test_what_is_exported_is_what_is_imported(auth_type: str, team: Any, by: Any) -> None:
    original = make(team, auth_type)
    file = exported(by, original)
    there = factories.actor(factories.team())
    coming = Import(parse(file.encode(), "file.json"), by=there)
    list(coming.check())
    assert coming.rows[0].errors == []
    assert coming.unknown == []
    (arrived,), _ = coming.apply()
    for name in ("name", "application", *PLAIN):
        if name not in ("oauth_client", "borrow_from", *NEVER_LEAVES):
            assert getattr(arrived, name) == getattr(original, name), name
    assert arrived.status == "draft"
    assert all(getattr(arrived, name) is None for name in SECRET)
    assert "Encrypted custom field api_key" in coming.rows[0].needs


@pytest.mark.parametrize("auth_type", SCHEMES)
def test_a_second_export_is_the_same_file(auth_type: str, team: Any, by: Any) -> None:
    """Apart from ids and from the masks, which say what secrets there are."""
    original = make(team, auth_type)
    there = factories.actor(factories.team())
    coming = Import(parse(exported(by, original).encode(), "file.json"), by=there)
    list(coming.check())
    (arrived,), _ = coming.apply()

    def plain(resource: Any) -> Any:
        if isinstance(resource, dict):
            kept = {name: plain(value) for name, value in resource.items() if name not in ("_id", "_iClientId")}
            return {name: value for name, value in kept.items() if value != "******" and value != {}}
        return resource

    assert plain(transfers.write(arrived)) == plain(transfers.write(original))


def test_no_secret_is_in_an_export(team: Any, by: Any) -> None:
    for auth_type in SCHEMES:
        connection = make(team, auth_type)
        factories.grant(connection, access_token=factories.SENTINEL, refresh_token=factories.SENTINEL)
    file = exported(by)
    assert factories.SENTINEL not in file
    assert len(json.loads(file)["connections"]) == len(SCHEMES)
    assert "••" not in file
    assert Event.objects.get(action="connection.export").detail == {"count": len(SCHEMES)}


def test_no_secret_is_opened_for_an_export(team: Any, by: Any, monkeypatch: Any) -> None:
    connection = make(team, "token")
    monkeypatch.setattr("connections.sealing.Sealed.reveal", lambda self: pytest.fail("opened"))
    assert '"token": "******"' in exported(by, connection)


def test_an_export_of_one_holds_its_client_and_no_other(team: Any, by: Any) -> None:
    factories.oauth_client(team, name="Another")
    connection = make(team, "oauth2")
    file = json.loads(exported(by, connection))
    assert [client["_id"] for client in file["clients"]] == [str(connection.oauth_client_id)]
    assert set(file["clients"][0]) == {"_id", "name", "client_id", "application_id", "secret_hosts"}


def test_an_export_never_holds_another_teams_connection(by: Any, charlie: Any) -> None:
    theirs = factories.connection(charlie.team)
    assert json.loads(exported(by))["connections"] == []
    assert json.loads(exported(by, theirs))["connections"] == []


def test_the_shape_is_the_platforms(team: Any, by: Any) -> None:
    resource = transfers.write(make(team, "oauth2"))
    assert resource["type"] == "http"
    assert resource["offline"] is False
    http = resource["http"]
    assert http["mediaType"] == "plaintext"
    assert http["auth"]["type"] == "oauth"
    assert http["auth"]["failStatusCode"] == "401, 403"
    assert http["rateLimit"] == {"limit": 250, "failStatusCode": 503, "failPath": "error.kind", "failValues": ["slow"]}
    oauth = http["auth"]["oauth"]
    assert oauth["grantType"] == "authorizecode"
    assert oauth["clientCredentialsLocation"] == "basicauthheader"
    assert oauth["scope"] == ["read", "write"]
    assert http["auth"]["token"]["location"] == "url"
    assert http["encrypted"] == {"api_key": "******"}
    assert http["unencrypted"] == {"tenant": "acme", "plan": "a&b=c"}
    assert http["headers"][1]["value"].startswith("{{{connection.http.unencrypted.tenant}}}")
    assert resource["gatehouse"]["application"] == "http"


def test_an_amazon_connection_keeps_its_region_and_marketplace(team: Any, by: Any) -> None:
    connection = factories.connection(team, name="EU", region="eu", marketplace="DE", draft_application=True)
    there = factories.actor(factories.team())
    coming = Import(parse(exported(by, connection).encode(), "f"), by=there)
    list(coming.check())
    (arrived,), (client,) = coming.apply()
    assert (arrived.application, arrived.region, arrived.marketplace) == ("amazon-vendor-central", "eu", "DE")
    assert arrived.draft_application is True
    assert arrived.oauth_client == client
    assert client.client_secret is None
