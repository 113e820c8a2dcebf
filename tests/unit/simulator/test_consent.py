"""The consent page: what it asks, what it sends back, and how it refuses."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from connections.simulator.configuration import CONSENT_ERRORS

from .walks import REDIRECT_URI, Amazon, answer_of

CONSENT = "/apps/authorize/consent"


def _show(amazon: Amazon, **changes: str | None) -> tuple[int, str]:
    response = amazon.client.get(CONSENT, query_string=amazon.consent_link(**changes))
    return response.status_code, response.get_data(as_text=True)


def test_the_page_says_what_it_is_and_who_asks(amazon: Amazon) -> None:
    status, text = _show(amazon)

    assert status == 200
    for words in ("Simulator.", "Example Integrations", "Purchase orders", "VGSIMULATOR01", "Confirm", "Cancel"):
        assert words in text


def test_the_page_gives_nothing_away_to_other_pages(amazon: Amazon) -> None:
    headers = amazon.client.get(CONSENT, query_string=amazon.consent_link()).headers

    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Cache-Control"] == "no-store"


def test_confirm_sends_back_state_selling_partner_and_code(amazon: Amazon) -> None:
    response = amazon.consent()

    answer = answer_of(response)
    assert response.headers["Location"].startswith(REDIRECT_URI + "?")
    assert set(answer) == {"state", "selling_partner_id", "spapi_oauth_code"}
    assert (answer["state"], answer["selling_partner_id"]) == ("state-1", "VGSIMULATOR01")


def test_another_account_can_consent(amazon: Amazon) -> None:
    assert answer_of(amazon.consent(account="VGSIMULATOR02"))["selling_partner_id"] == "VGSIMULATOR02"


def test_an_unknown_account_is_asked_again(amazon: Amazon) -> None:
    assert amazon.consent(account="nobody").status_code == 200


def test_a_post_without_a_decision_grants_nothing(amazon: Amazon) -> None:
    assert amazon.consent(decision="").status_code == 200


def test_the_redirect_uri_keeps_its_own_query(amazon: Amazon) -> None:
    location = amazon.consent(redirect_uri="https://a.example.com/cb?next=%2Fx&k=", state="ab&c=d").headers["Location"]

    pairs = parse_qsl(urlsplit(location).query, keep_blank_values=True)
    assert pairs[:3] == [("next", "/x"), ("k", ""), ("state", "ab&c=d")]


def test_cancel_grants_nothing_and_sends_nobody_back(amazon: Amazon) -> None:
    response = amazon.consent("cancel")

    assert response.status_code == 200
    assert "close this window" in response.get_data(as_text=True)
    assert not amazon.state.codes


def test_cancel_sends_back_when_told_to(amazon: Amazon) -> None:
    amazon.configure(cancel_redirects=True)

    answer = answer_of(amazon.consent("cancel"))

    assert (answer["error"], answer["state"]) == ("access_denied", "state-1")


def test_a_draft_application_with_version_beta_is_asked_about(amazon: Amazon) -> None:
    status, text = _show(amazon, application_id="amzn1.sp.solution.simulator-draft", version="beta")

    assert status == 200
    assert "Draft" in text


def test_a_published_application_may_carry_version_beta(amazon: Amazon) -> None:
    assert _show(amazon, version="beta")[0] == 200


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("MD1000", {"application_id": "amzn1.sp.solution.simulator-draft"}),
        ("MD1000", {"application_id": "amzn1.application-oa2-client.simulator"}),
        ("MD4100", {"application_id": "amzn1.sp.solution.unknown"}),
        ("MD5110", {"redirect_uri": "https://a.example.com/#top"}),
        ("MD9100", {"redirect_uri": None}),
        ("MD9999", {"application_id": None}),
        ("MD9999", {"state": None}),
        ("MD9999", {"application_id": "amzn1.sp.solution.simulator-draft?version=beta"}),
        ("MD9999", {"application_id": " amzn1.sp.solution.simulator"}),
        ("MD5101", {"redirect_uri": "http://gatehouse.example.com/oauth/callback/"}),
        ("MD5101", {"redirect_uri": "javascript:alert(1)"}),
        ("MD5101", {"redirect_uri": "data:text/html,x"}),
        ("MD5101", {"redirect_uri": "//evil.example.com/"}),
        ("MD5101", {"redirect_uri": "http://127.0.0.1@evil.example.com/"}),
        ("MD5101", {"redirect_uri": "http://127.0.0.1\\@evil.example.com/"}),
        ("MD5101", {"redirect_uri": "https://"}),
        ("MD5101", {"redirect_uri": "https://[bad/"}),
        ("MD5101", {"redirect_uri": "https://a.example.com:port/"}),
        ("MD5101", {"redirect_uri": "https://a.example.com/\r\nX: y"}),
    ],
)
def test_each_wrong_link_has_its_error(amazon: Amazon, code: str, changes: dict[str, str | None]) -> None:
    for response in (
        amazon.client.get(CONSENT, query_string=amazon.consent_link(**changes)),
        amazon.consent(**changes),
    ):
        assert response.status_code == 400
        assert f"Error {code}" in response.get_data(as_text=True)
        assert "Location" not in response.headers


@pytest.mark.parametrize("code", CONSENT_ERRORS)
def test_every_error_can_be_switched_on(amazon: Amazon, code: str) -> None:
    amazon.configure(consent_error=code)

    status, text = _show(amazon)

    assert status == 400
    assert f"Error {code}" in text
    assert "What to do" in text


@pytest.mark.parametrize("uri", ["http://127.0.0.1:8000/cb", "http://localhost/cb", "http://[::1]:8000/cb"])
def test_this_machine_may_use_http(amazon: Amazon, uri: str) -> None:
    assert amazon.consent(redirect_uri=uri).headers["Location"].startswith(uri)


def test_registered_redirect_uris_are_the_only_ones_and_the_first_is_the_default(amazon: Amazon) -> None:
    amazon.configure(redirect_uris=["https://a.example.com/cb", "https://b.example.com/cb"])

    assert "Error MD5101" in _show(amazon)[1]
    assert _show(amazon, redirect_uri="https://b.example.com/cb")[0] == 200
    assert amazon.consent(redirect_uri=None).headers["Location"].startswith("https://a.example.com/cb?")


def test_what_the_link_says_is_escaped(amazon: Amazon) -> None:
    text = _show(amazon, redirect_uri="https://<b>x</b>.example.com/")[1]

    assert "<b>x" not in text
