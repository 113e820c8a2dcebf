import base64
import hashlib
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from connections.oauth.authorize import (
    authorization_url,
    code_challenge,
    new_state,
    new_verifier,
    standard_params,
)
from connections.outbound import OutboundError

CONSENT = "https://vendorcentral.amazon.com/apps/authorize/consent"


def test_a_state_has_256_random_bits_and_is_never_the_same() -> None:
    states = {new_state() for _ in range(50)}

    assert len(states) == 50
    assert all(len(base64.urlsafe_b64decode(state + "=")) == 32 for state in states)


def test_a_verifier_has_the_form_that_rfc_7636_asks_for() -> None:
    verifier = new_verifier()

    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier)
    assert new_verifier() != verifier


def test_the_challenge_is_that_of_rfc_7636_appendix_b() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert code_challenge(verifier, "S256") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert code_challenge(verifier, "plain") == verifier


@pytest.mark.parametrize(("verifier", "method"), [("x" * 42, "S256"), ("x" * 129, "S256"), ("ä" * 50, "S256")])
def test_a_malformed_verifier_has_no_challenge(verifier: str, method: str) -> None:
    with pytest.raises(ValueError, match="verifier"):
        code_challenge(verifier, method)


def test_an_unknown_challenge_method_is_refused() -> None:
    with pytest.raises(ValueError, match="S256"):
        code_challenge("x" * 43, "s256")


def test_parameters_are_encoded_once_and_with_percent_signs() -> None:
    url = authorization_url(CONSENT, {"state": "a b&c|d", "redirect_uri": "https://g.example/oauth/callback/"})

    assert url == CONSENT + "?state=a%20b%26c%7Cd&redirect_uri=https%3A%2F%2Fg.example%2Foauth%2Fcallback%2F"


def test_the_urls_own_query_stays_as_typed() -> None:
    url = authorization_url(CONSENT + "?version=beta&x=a%20b+c&flag", {"state": "s"})

    assert urlsplit(url).query == "version=beta&x=a%20b+c&flag&state=s"


def test_a_parameter_of_ours_replaces_the_one_in_the_url() -> None:
    url = authorization_url("https://a.example/auth?st%61te=fixed&prompt=login", {"state": "s"})

    assert parse_qs(urlsplit(url).query) == {"prompt": ["login"], "state": ["s"]}


def test_a_url_without_a_path_gets_one() -> None:
    assert authorization_url("https://a.example", {"state": "s"}) == "https://a.example/?state=s"


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("https://a.example/auth#top", "#"),
        (CONSENT + "?application_id=x?version=beta", "two question marks"),
        ("javascript:alert(1)", "https://"),
        ("/auth", "https://"),
        (CONSENT + " ", "blanks"),
    ],
)
def test_an_unusable_authorization_url_is_refused(url: str, word: str) -> None:
    with pytest.raises(OutboundError) as caught:
        authorization_url(url, {"state": "s"})

    assert caught.value.code == "invalid_url"
    assert word in caught.value.detail


def test_standard_parameters_leave_out_what_is_not_there() -> None:
    assert standard_params(client_id="c", redirect_uri=None, state="s", scope="") == {
        "response_type": "code",
        "client_id": "c",
        "state": "s",
    }


def test_standard_parameters_with_pkce() -> None:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"v").digest()).decode()

    params = standard_params(
        client_id="c",
        redirect_uri="https://g.example/cb",
        scope="a b",
        state="s",
        challenge=challenge,
        challenge_method="S256",
    )

    assert params["code_challenge"] == challenge
    assert params["code_challenge_method"] == "S256"
    assert params["scope"] == "a b"
