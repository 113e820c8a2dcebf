"""Each failure says what happened, what it means and what to press, and no two known causes look alike."""

from __future__ import annotations

from itertools import combinations
from typing import get_args

import pytest

from connections.applications import CONSENT_ERRORS, Explanation, Failure, available
from connections.applications.application import Action, Where

SIMULATOR = "http://127.0.0.1:8899"
ALL = available(simulator_url=SIMULATOR)
VENDOR_CENTRAL, HTTP = ALL["amazon-vendor-central"], ALL["http"]
DENIED = "Access to requested resource is denied."
PARAMETER = "The request has an invalid grant parameter : "


def token(error: str, description: str = "", status: int | None = 400) -> Failure:
    return Failure(error=error, description=description, status=status, request_id=None, where="token")


def call(error: str, description: str = "", status: int | None = 403) -> Failure:
    return Failure(error=error, description=description, status=status, request_id="r", where="call")


def consent(error: str) -> Failure:
    return Failure(error=error, description="", status=None, request_id=None, where="consent")


# Cause by cause, as Amazon answers it; with the button each leads to.
AMAZON: dict[str, tuple[Failure, Action]] = {
    "client": (token("invalid_client", "Client authentication failed", 401), "edit_client"),
    "withdrawn": (
        token("invalid_grant", PARAMETER + "refresh_token. User may have revoked or didn't grant the permission."),
        "authorize",
    ),
    "refresh token": (token("invalid_grant", PARAMETER + "refresh_token"), "authorize"),
    "another client": (
        token(
            "invalid_grant",
            "The authorization grant or refresh token is invalid, expired, revoked, does not match the Device Token "
            "Request, or was issued to another client.",
        ),
        "authorize",
    ),
    "code": (token("invalid_grant", PARAMETER + "code"), "authorize"),
    "grant, no reason": (token("invalid_grant"), "authorize"),
    "other application": (token("unauthorized_client", "Not authorized for requested operation"), "authorize"),
    "grant type": (
        token("unsupported_grant_type", "The authorization grant type is not supported by the authorization server"),
        "edit_connection",
    ),
    "scope": (token("invalid_scope", "The request has an invalid parameter : scope"), "edit_connection"),
    "missing": (
        token("invalid_request", "The request is missing a required parameter : refresh_token"),
        "edit_connection",
    ),
    "token fault": (token("ServerError", "", 500), "wait"),
    "token unavailable": (token("temporarily_unavailable", "", 503), "wait"),
    "token throttled": (token("", "", 429), "wait"),
    "token refused": (token("access_denied", "", 403), "authorize"),
    "no token": (call("Unauthorized", "Access token is missing in the request header."), "edit_connection"),
    "bad token": (
        call("Unauthorized", "The access token you provided is revoked, malformed or invalid."),
        "test",
    ),
    "old token": (call("Unauthorized", "The access token you provided has expired."), "test"),
    "old secret": (call("Unauthorized", "The LWA secret token you provided has expired."), "edit_client"),
    "role": (call("Unauthorized"), "edit_connection"),
    "region": (
        call("Unauthorized", "The marketplaces you provided are not valid for region."),
        "edit_connection",
    ),
    "refused, other words": (call("Unauthorized", "Something new."), "test"),
    "throttled": (call("QuotaExceeded", "You exceeded your quota for the requested resource.", 429), "wait"),
    "parameter": (call("InvalidRequest", "The request is invalid.", 400), "edit_connection"),
    "sandbox": (call("InvalidInput", "Could not match input arguments", 400), "edit_connection"),
    "fault": (call("InternalFailure", "", 500), "wait"),
    "unavailable": (call("", "", 503), "wait"),
    "call address": (call("NotFound", "", 404), "edit_connection"),
    "refused at consent": (consent("access_denied"), "authorize"),
}
AMAZON |= {code: (consent(code), shown.action) for code, shown in CONSENT_ERRORS.items()}

TRANSPORT = [
    "unreachable",
    "timeout",
    "redirected",
    "not_json",
    "too_large",
    "refused_address",
    "insecure",
    "sign_in_page",
    "tls",
    "not_found",
    "connect",
    "invalid_url",
    "broken",
]
GENERAL: dict[str, Failure] = (
    {f"token {code}": token(code, status=None) for code in TRANSPORT}
    | {f"call {code}": call(code, status=None) for code in TRANSPORT}
    | {
        f"token {code}": token(code)
        for code in [
            "invalid_client",
            "invalid_grant",
            "unauthorized_client",
            "unsupported_grant_type",
            "invalid_scope",
            "invalid_request",
        ]
    }
    | {f"token {status}": token("", "", status) for status in (403, 404, 415, 418, 429, 500)}
    | {f"call {status}": call("", "", status) for status in (400, 401, 403, 404, 405, 415, 418, 429, 500)}
    | {
        f"consent {code}": consent(code)
        for code in [
            "access_denied",
            "invalid_request",
            "unauthorized_client",
            "unsupported_response_type",
            "invalid_scope",
            "server_error",
            "temporarily_unavailable",
            "something_else",
        ]
    }
)


def assert_distinct(explanations: dict[str, Explanation]) -> None:
    for (one, first), (other, second) in combinations(explanations.items(), 2):
        assert first.title != second.title, (one, other)


@pytest.mark.parametrize("cause", AMAZON)
def test_each_amazon_cause_leads_to_its_button(cause: str) -> None:
    failure, action = AMAZON[cause]
    assert VENDOR_CENTRAL.explain(failure).action == action


def test_no_two_amazon_causes_are_explained_alike() -> None:
    transport = {name: failure for name, failure in GENERAL.items() if name.split()[1] in TRANSPORT}
    causes = {cause: failure for cause, (failure, _) in AMAZON.items()} | transport
    assert_distinct({cause: VENDOR_CENTRAL.explain(failure) for cause, failure in causes.items()})
    meanings = [VENDOR_CENTRAL.explain(failure).meaning for failure, _ in AMAZON.values()]
    assert len(set(meanings)) == len(AMAZON)


def test_no_two_general_causes_are_explained_alike() -> None:
    assert_distinct({name: HTTP.explain(failure) for name, failure in GENERAL.items()})


@pytest.mark.parametrize("slug", ALL)
def test_every_explanation_is_whole(slug: str) -> None:
    for rule in ALL[slug].rules:
        shown = rule.explanation
        for text in (shown.title, shown.meaning, shown.next_step):
            assert text == text.strip()
            assert text.endswith(".")
            assert text[0].isupper()
            assert "  " not in text
        assert len(shown.title) <= 80
        assert shown.action in get_args(Action)


def test_a_refused_client_is_known_by_its_status_alone() -> None:
    for application in (VENDOR_CENTRAL, HTTP):
        named, unnamed = token("invalid_client", status=401), token("", status=401)
        assert application.explain(named) == application.explain(unnamed)


def test_any_other_provider_is_not_called_amazon() -> None:
    for rule in HTTP.rules:
        text = " ".join((rule.explanation.title, rule.explanation.meaning, rule.explanation.next_step))
        assert "Amazon" not in text
        assert "sellingpartner" not in text


@pytest.mark.parametrize("slug", ALL)
@pytest.mark.parametrize("where", get_args(Where))
@pytest.mark.parametrize("status", [None, 200, 302, 400, 418, 599])
def test_an_unknown_error_still_gets_an_honest_explanation(slug: str, where: Where, status: int | None) -> None:
    failure = Failure(error="brand_new", description="?", status=status, request_id=None, where=where)
    assert ALL[slug].explain(failure).next_step


@pytest.mark.parametrize("name", ["ServerError", "server_error", "SERVER_ERROR", "serverError"])
def test_error_names_are_read_whatever_their_case(name: str) -> None:
    assert VENDOR_CENTRAL.explain(token(name, "", None)) == VENDOR_CENTRAL.explain(token("server_error", "", 500))
    assert HTTP.explain(token("INVALID_CLIENT")) == HTTP.explain(token("invalid_client"))


@pytest.mark.parametrize("description", ["", "  ", DENIED])
def test_a_missing_role_is_told_whether_or_not_the_message_came_along(description: str) -> None:
    shown = VENDOR_CENTRAL.explain(call("Unauthorized", description))
    assert "role" in shown.meaning
    assert shown == VENDOR_CENTRAL.explain(AMAZON["role"][0])


@pytest.mark.parametrize("cause", ["no token", "bad token", "old token", "old secret", "region"])
def test_the_details_count_when_the_message_stands_before_them(cause: str) -> None:
    failure = AMAZON[cause][0]
    with_message = call("Unauthorized", f"{DENIED} {failure.description}")
    assert VENDOR_CENTRAL.explain(with_message) == VENDOR_CENTRAL.explain(failure)


def test_a_host_that_does_not_exist_is_not_a_page_that_does_not_exist() -> None:
    assert HTTP.explain(call("not_found", status=None)) != HTTP.explain(call("NotFound", status=404))


def test_a_page_that_says_the_provider_is_down_is_not_blamed_on_the_address() -> None:
    assert HTTP.explain(token("not_json", status=502)).action == "wait"
    assert HTTP.explain(token("not_json", status=200)).action == "edit_connection"


@pytest.mark.parametrize(("one", "other"), [("redirected", "redirect"), ("refused_address", "address_refused")])
def test_both_names_of_a_transport_code_are_known(one: str, other: str) -> None:
    assert HTTP.explain(call(one, status=None)) == HTTP.explain(call(other, status=None))


@pytest.mark.parametrize("slug", [slug for slug, application in ALL.items() if application.vendor])
def test_the_sign_in_page_leads_to_the_token_url_of_the_application(slug: str) -> None:
    shown = ALL[slug].explain(token("sign_in_page", status=None))
    assert ALL[slug].initial["token_url"] in shown.next_step


def test_vendors_and_sellers_are_told_of_the_other_kind_of_account() -> None:
    failure = AMAZON["role"][0]
    assert "seller account" in VENDOR_CENTRAL.explain(failure).meaning
    assert "vendor account" in ALL["amazon-seller-central"].explain(failure).meaning
    assert "/vendor/" not in ALL["amazon-seller-central"].explain(AMAZON["sandbox"][0]).next_step


def test_the_help_table_holds_every_code_of_the_consent_page() -> None:
    assert set(CONSENT_ERRORS) == {
        "MD1000",
        "MD4100",
        "MD5100",
        "MD5101",
        "MD5110",
        "MD9100",
        "MD9999",
        "SPDC8143",
        "SPSA0404",
        "SPSA2043",
        "CONSENT_LIMIT_REACHED",
    }
