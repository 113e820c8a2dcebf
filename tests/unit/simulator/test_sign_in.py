"""Login with Amazon's own sign-in page."""

import pytest

from connections.simulator.registry import CLIENT_ID

from .walks import REDIRECT_URI, Amazon, answer_of


def _query(**changes: str | None) -> dict[str, str]:
    values: dict[str, str | None] = {
        "client_id": CLIENT_ID,
        "scope": "profile postal_code",
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "state": "s-1",
        **changes,
    }
    return {name: value for name, value in values.items() if value is not None}


def test_confirm_sends_back_code_scope_and_state(amazon: Amazon) -> None:
    answer = answer_of(amazon.client.post("/ap/oa", query_string=_query(), data={"decision": "confirm"}))

    assert set(answer) == {"code", "scope", "state"}
    assert (answer["scope"], answer["state"]) == ("profile postal_code", "s-1")


def test_cancel_sends_back_access_denied(amazon: Amazon) -> None:
    response = amazon.client.post("/ap/oa", query_string=_query(), data={"decision": "cancel"})

    assert response.headers["Location"].endswith(
        "?error=access_denied&error_description=Access+not+permitted.&state=s-1"
    )


def test_the_page_names_who_asks_and_what_is_shared(amazon: Amazon) -> None:
    text = amazon.client.get("/ap/oa", query_string=_query()).get_data(as_text=True)

    for words in ("Example Integrations", "Your postal code", "Confirm", "Cancel"):
        assert words in text


@pytest.mark.parametrize(
    ("error", "changes"),
    [
        ("invalid_scope", {"scope": "sellingpartnerapi::notifications"}),
        ("invalid_scope", {"scope": None}),
        ("unsupported_response_type", {"response_type": "token"}),
        ("invalid_request", {"code_challenge": "short"}),
        ("invalid_request", {"code_challenge_method": "S256"}),
        ("invalid_request", {"code_challenge": "a" * 43, "code_challenge_method": "S512"}),
    ],
)
def test_a_wrong_request_is_sent_back(amazon: Amazon, error: str, changes: dict[str, str | None]) -> None:
    answer = answer_of(amazon.client.get("/ap/oa", query_string=_query(**changes)))

    assert (answer["error"], answer["state"]) == (error, "s-1")


@pytest.mark.parametrize(
    "changes",
    [{"client_id": "unknown"}, {"client_id": None}, {"redirect_uri": "http://a.example.com/"}, {"redirect_uri": None}],
)
def test_an_unknown_client_or_redirect_uri_is_sent_nowhere(amazon: Amazon, changes: dict[str, str | None]) -> None:
    response = amazon.client.get("/ap/oa", query_string=_query(**changes))

    assert response.status_code == 400
    assert "Location" not in response.headers


def test_a_token_request_sent_here_gets_a_page_for_people(amazon: Amazon) -> None:
    form = {"grant_type": "refresh_token", "client_id": CLIENT_ID, "client_secret": "x", "refresh_token": "Atzr|x"}

    response = amazon.client.post("/ap/oa", data=form)

    assert response.status_code == 200
    assert response.mimetype == "text/html"
