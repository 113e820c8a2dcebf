"""Faults, configuration, revocation and calls, as JSON and as buttons."""

import json
import re
from html import unescape

import pytest

from connections.simulator.configuration import Configuration
from connections.simulator.tokens import Mint

from .walks import CLIENT_SECRET, REDIRECT_URI, Amazon

TOKEN = "/auth/o2/token"
ORDERS = "/vendor/orders/v1/purchaseOrders"


def test_a_fault_counts_down(amazon: Amazon) -> None:
    refresh_token = amazon.grant()["refresh_token"]
    amazon.fail(TOKEN, status=503, times=2)

    first = amazon.refresh(refresh_token)
    assert (first.status_code, first.get_json()["error"]) == (503, "temporarily_unavailable")
    assert [amazon.refresh(refresh_token).status_code for _ in range(2)] == [503, 200]


@pytest.mark.parametrize(("status", "error"), [(500, "ServerError"), (401, "invalid_client"), (403, "access_denied")])
def test_a_fault_of_the_token_endpoint_has_amazons_body(amazon: Amazon, status: int, error: str) -> None:
    amazon.fail(TOKEN, status=status)

    assert amazon.refresh("Atzr|x").get_json()["error"] == error


def test_a_fault_of_the_api_has_amazons_body(amazon: Amazon) -> None:
    token = amazon.grant()["access_token"]
    amazon.fail(ORDERS, status=500)

    response = amazon.get(ORDERS, token)

    assert response.status_code == 500
    assert response.get_json()["errors"][0]["code"] == "InternalFailure"
    assert amazon.get(ORDERS, token).status_code == 200


def test_a_fault_may_bring_its_own_body_and_headers(amazon: Amazon) -> None:
    amazon.fail(TOKEN, status=502, body="<h1>Bad gateway</h1>", headers={"Retry-After": "7"})
    amazon.fail(TOKEN, status=200, body={"access_token": 1})

    html, odd = amazon.refresh("x"), amazon.refresh("x")

    assert (html.status_code, html.mimetype, html.headers["Retry-After"]) == (502, "text/html", "7")
    assert odd.get_json() == {"access_token": 1}


def test_a_fault_without_status_is_only_slow(amazon: Amazon) -> None:
    refresh_token = amazon.grant()["refresh_token"]
    amazon.fail(TOKEN, delay_ms=1500)

    assert amazon.refresh(refresh_token).status_code == 200
    assert amazon.clock.slept == [1.5]


def test_a_star_stands_for_the_rest_of_a_path(amazon: Amazon) -> None:
    amazon.fail("/vendor/*", status=429)

    assert amazon.client.get("/notifications/v1/destinations").status_code == 403
    assert amazon.client.get("/vendor/anything").status_code == 429


def test_faults_are_listed_and_cleared(amazon: Amazon) -> None:
    amazon.fail(TOKEN, status=503)

    assert amazon.client.get("/_control/faults").get_json()[0]["times"] == 1
    assert amazon.client.post("/_control/faults/clear").get_json() == []
    assert amazon.refresh("Atzr|x").status_code == 400


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"path": "auth"},
        {"path": TOKEN, "status": 99},
        {"path": TOKEN, "status": "503"},
        {"path": TOKEN, "status": True},
        {"path": TOKEN, "status": 500, "times": 0},
        {"path": TOKEN, "delay_ms": -1},
        {"path": TOKEN, "body": "x"},
        {"path": TOKEN, "headers": {"a": 1}},
        {"path": TOKEN, "colour": "red"},
    ],
)
def test_a_fault_that_is_not_in_order_says_why(amazon: Amazon, fault: dict[str, object]) -> None:
    response = amazon.client.post("/_control/faults", json=fault)

    assert response.status_code == 400
    assert response.get_json()["error"]
    assert not amazon.state.faults


def test_configuration_merges(amazon: Amazon) -> None:
    amazon.configure(access_token_ttl=60)
    response = amazon.configure(omit_expires_in=True)

    assert response.get_json() == amazon.client.get("/_control/config").get_json()
    assert response.get_json() == {**Configuration().values(), "access_token_ttl": 60, "omit_expires_in": True}


def test_an_unknown_key_names_the_known_ones(amazon: Amazon) -> None:
    response = amazon.configure(acces_token_ttl=60)

    assert response.status_code == 400
    assert all(name in response.get_json()["error"] for name in Configuration().values())


@pytest.mark.parametrize(
    "values",
    [
        {"access_token_ttl": "60"},
        {"access_token_ttl": -1},
        {"access_token_ttl": True},
        {"sandbox": 1},
        {"rate_limit": 0},
        {"redirect_uris": "https://a.example.com/"},
        {"region": "moon"},
        {"consent_error": "MD0000"},
        {"client_secret": None},
    ],
)
def test_a_value_of_the_wrong_kind_changes_nothing(amazon: Amazon, values: dict[str, object]) -> None:
    response = amazon.configure(omit_expires_in=True, **values)

    assert response.status_code == 400
    assert next(iter(values)) in response.get_json()["error"]
    assert amazon.state.configuration == Configuration()


def test_one_grant_or_every_grant_can_be_revoked(amazon: Amazon) -> None:
    first, second, third = (amazon.grant()["refresh_token"] for _ in range(3))

    assert amazon.client.post("/_control/revoke", json={"refresh_token": first}).get_json() == {"revoked": 1}
    assert amazon.refresh(first).get_json()["error"] == "invalid_grant"
    assert amazon.refresh(second).status_code == 200
    assert amazon.client.post("/_control/revoke", json={"refresh_token": "unknown"}).get_json() == {"revoked": 0}
    assert amazon.client.post("/_control/revoke").get_json() == {"revoked": 2}
    assert amazon.refresh(third).get_json()["error"] == "invalid_grant"


def test_a_refresh_token_can_be_had_without_the_consent_page(amazon: Amazon) -> None:
    grant = amazon.client.post("/_control/grants", json={"account": "VGSIMULATOR03"}).get_json()

    assert grant["selling_partner_id"] == "VGSIMULATOR03"
    assert amazon.refresh(grant["refresh_token"]).status_code == 200
    assert amazon.client.post("/_control/grants", json={"account": "nobody"}).status_code == 400
    listed = amazon.client.get("/_control/grants").get_json()
    assert [(each["selling_partner_id"], each["refreshes"]) for each in listed] == [("VGSIMULATOR03", 1)]


def test_calls_are_listed_oldest_first(amazon: Amazon) -> None:
    token = amazon.grant()["access_token"]
    amazon.get(ORDERS, token)

    calls = amazon.client.get("/_control/calls").get_json()

    assert [(call["method"], call["path"], call["status"], call["grant_type"]) for call in calls] == [
        ("POST", "/apps/authorize/consent", 302, None),
        ("POST", TOKEN, 200, "authorization_code"),
        ("GET", ORDERS, 200, None),
    ]
    assert calls[0]["at"] == "2026-09-21T14:13:20.000+00:00"
    assert set(calls[0]) == {"method", "path", "status", "grant_type", "at"}


def test_failed_and_unknown_calls_are_listed_too(amazon: Amazon) -> None:
    amazon.fail(TOKEN, status=503)
    amazon.refresh("Atzr|x")
    amazon.client.get(TOKEN)
    amazon.token(grant_type="Atzr|typed-into-the-wrong-field")

    calls = amazon.client.get("/_control/calls").get_json()

    assert [(call["status"], call["grant_type"]) for call in calls] == [
        (503, "refresh_token"),
        (405, None),
        (400, None),
    ]


def test_no_secret_is_in_the_calls_nor_the_lists(amazon: Amazon) -> None:
    code = amazon.code()
    tokens = amazon.redeem(code, redirect_uri=REDIRECT_URI).get_json()
    amazon.refresh(tokens["refresh_token"])
    amazon.get(ORDERS, tokens["access_token"], secret="s3cret")

    seen = "".join(amazon.client.get(f"/_control/{name}").get_data(as_text=True) for name in ("calls", "grants"))
    seen += (
        amazon.client.get("/").get_data(as_text=True).replace(CLIENT_SECRET, "", 1)
    )  # shown once, under What to enter

    for secret in (code, tokens["access_token"], tokens["refresh_token"], "s3cret", "state-1"):
        assert secret not in seen


def test_reset_forgets_everything(amazon: Amazon) -> None:
    tokens, code = amazon.grant(), amazon.code()
    amazon.fail(ORDERS, status=500)
    amazon.configure(access_token_ttl=1)

    assert amazon.client.post("/_control/reset").get_json() == {"reset": True}

    assert amazon.client.get("/_control/calls").get_json() == []
    assert amazon.client.get("/_control/config").get_json() == Configuration().values()
    details = amazon.get(ORDERS, tokens["access_token"]).get_json()["errors"][0]["details"]
    assert details == "The access token you provided is revoked, malformed or invalid."
    assert amazon.refresh(tokens["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert amazon.redeem(code).get_json()["error"] == "invalid_grant"


def test_a_token_of_another_mint_is_unknown(amazon: Amazon) -> None:
    assert Mint().read(amazon.grant()["access_token"]) is None


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "reset", 405), ("POST", "calls", 405), ("DELETE", "config", 405), ("GET", "nothing", 404)],
)
def test_other_methods_and_paths_are_refused(amazon: Amazon, method: str, path: str, status: int) -> None:
    assert amazon.client.open(f"/_control/{path}", method=method).status_code == status


@pytest.mark.parametrize("body", ["{", "[]", "1"])
def test_a_body_that_is_no_object_says_so(amazon: Amazon, body: str) -> None:
    response = amazon.client.post("/_control/config", data=body, content_type="application/json")

    assert response.status_code == 400
    assert "JSON" in response.get_json()["error"]


def test_json_is_taken_under_any_content_type(amazon: Amazon) -> None:
    body = json.dumps({"sandbox": True})

    response = amazon.client.post("/_control/config", data=body, content_type="application/x-www-form-urlencoded")

    assert response.get_json()["sandbox"] is True


BUTTON = re.compile(r'<form method="post" action="([^"]+)"><button name="json" value="([^"]*)"')


def test_every_button_of_the_page_works(amazon: Amazon) -> None:
    buttons = BUTTON.findall(amazon.client.get("/").get_data(as_text=True))

    assert len(buttons) > 30
    for path, value in buttons:
        response = amazon.client.post(path, data={"json": unescape(value)})
        assert (response.status_code, response.headers["Location"]) == (303, "/")


def test_a_button_that_is_on_takes_itself_back(amazon: Amazon) -> None:
    amazon.configure(sandbox=True)
    text = amazon.client.get("/").get_data(as_text=True)
    assert text.count("is on, press to take back") == 1

    amazon.client.post("/_control/config", data={"json": '{"sandbox": false}'})

    assert "is on, press to take back" not in amazon.client.get("/").get_data(as_text=True)


def test_the_settings_form_saves_every_key(amazon: Amazon) -> None:
    form = {
        "settings": "1",
        "access_token_ttl": "120",
        "omit_expires_in": "on",
        "client_secret": "another",
        "redirect_uris": "https://a.example.com/\r\nhttps://b.example.com/\r\n",
        "consent_error": "MD4100",
        "region": "fe",
        "missing_roles": "",
        "rate_limit": "2.5",
        "rate_burst": "3",
    }

    assert amazon.client.post("/_control/config", data=form).status_code == 303

    values = amazon.client.get("/_control/config").get_json()
    assert values["redirect_uris"] == ["https://a.example.com/", "https://b.example.com/"]
    assert (values["access_token_ttl"], values["omit_expires_in"], values["rotation_enrolled"]) == (120, True, False)
    assert (values["rate_limit"], values["rate_burst"], values["region"]) == (2.5, 3, "fe")
    assert amazon.client.post("/_control/config", data={**form, "rate_burst": "x"}).status_code == 400


def test_a_refresh_token_made_by_hand_is_shown_once(amazon: Amazon) -> None:
    text = amazon.client.post("/_control/grants", data={"account": "VGSIMULATOR02"}).get_data(as_text=True)

    assert "Atzr|" in text
    assert "Atzr|" not in amazon.client.get("/").get_data(as_text=True)


def test_the_page_needs_no_script(amazon: Amazon) -> None:
    text = amazon.client.get("/").get_data(as_text=True)

    assert "<script" not in text
    assert " style=" not in text
    assert not re.search(r" on[a-z]+=", text)
    assert amazon.client.get("/_control/style.css").mimetype == "text/css"
