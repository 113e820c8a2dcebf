"""Explanations that hold for any provider: transport codes, RFC 6749 and RFC 6750 errors, HTTP statuses.

The tables name the provider they are given and nothing else; what one provider does differently stands before them.
"""

from __future__ import annotations

from connections.applications.application import Explanation, Rule, explained
from connections.applications.state_errors import state_rules
from connections.applications.transport_errors import at_start, transport_rules, trouble

_CLIENT = "the pencil beside OAuth 2.0 client"


def general_rules(provider: str) -> tuple[Rule, ...]:
    """Every rule for a provider called `provider` in mid-sentence, most particular first. The last matches anything."""
    return (
        *state_rules(provider),
        *transport_rules(provider, where="token", field="Access token URL"),
        *transport_rules(provider, where="call", field="Base URI"),
        *_consent(provider),
        *_token(provider),
        *_call(provider),
    )


def _consent(provider: str) -> tuple[Rule, ...]:
    """RFC 6749 §4.1.2.1: errors the browser brings back."""
    rows: dict[str, Explanation] = {
        "access_denied": explained(
            "Access was not granted.",
            f"Someone pressed Cancel at {provider}, or the account is not allowed to give this access. "
            "Nothing has changed here.",
            "Press Save & authorize to try again, signed in with an account that may grant access.",
            "authorize",
        ),
        "invalid_request": explained(
            f"{at_start(provider)} could not read the request for access.",
            "A parameter is missing, given twice, or not known there. "
            "A Redirect URL that is not registered also ends like this.",
            "Register the Redirect URL shown in the pane, check Authorization URL and the extra parameters, "
            "then press Save & authorize.",
            "edit_connection",
        ),
        "unauthorized_client": explained(
            "This client may not ask for access this way.",
            f"{at_start(provider)} knows the client but does not allow it the grant type Authorization code.",
            f"Allow that grant type where the client is registered, or press {_CLIENT} and enter another Client ID.",
            "edit_client",
        ),
        "unsupported_response_type": explained(
            f"{at_start(provider)} does not hand out authorization codes here.",
            "Authorization URL probably leads to another page, or this provider uses another way to grant access.",
            "Check Authorization URL and Grant type, then press Save & authorize.",
            "edit_connection",
        ),
        "invalid_scope": explained(
            "The scope that was asked for is not known.",
            f"{at_start(provider)} does not have one of the words in Scope, or this client may not ask for it.",
            "Correct Scope, then press Save & authorize.",
            "edit_connection",
        ),
        "server_error": explained(
            f"{at_start(provider)} had a fault while asking for consent.",
            "The fault is on the other side; your settings have not changed.",
            "Wait a minute, then press Save & authorize.",
            "wait",
        ),
        "temporarily_unavailable": explained(
            f"{at_start(provider)} cannot ask for consent at the moment.",
            "It is busy or under maintenance.",
            "Wait a few minutes, then press Save & authorize.",
            "wait",
        ),
    }
    unknown = explained(
        f"{at_start(provider)} ended the authorization with an error that is not known here.",
        "No access was granted and nothing has changed. The error and its description are shown as they came.",
        "Check Authorization URL and the client, then press Save & authorize.",
        "authorize",
    )
    rules = (Rule(where=("consent",), errors=(code,), explanation=explanation) for code, explanation in rows.items())
    return (*rules, Rule(where=("consent",), explanation=unknown))


def _token(provider: str) -> tuple[Rule, ...]:
    """RFC 6749 §5.2, and statuses of token endpoints that say nothing more."""
    invalid_client = explained(
        f"{at_start(provider)} did not accept the client ID and secret.",
        "One of them is mistyped or out of date, or they are expected another way: "
        "in the body or in the Basic auth header. "
        "The authorization itself is kept.",
        f"Press {_CLIENT} and enter Client ID and Client secret again, check Send client credentials via, "
        "then press Test connection. "
        "A connection that was never authorized needs Save & authorize.",
        "edit_client",
    )
    rows: dict[str, Explanation] = {
        "invalid_client": invalid_client,
        "invalid_grant": explained(
            "The authorization is no longer accepted.",
            f"It ran out, was withdrawn at {provider}, was used before, or belongs to another client.",
            "Press Save & authorize to grant access again.",
            "authorize",
        ),
        "unauthorized_client": explained(
            "This client may not get a token this way.",
            f"{at_start(provider)} knows the client but does not allow it this grant type.",
            f"Check Grant type, or press {_CLIENT} and enter a client that may use it, then press Save & authorize.",
            "edit_client",
        ),
        "unsupported_grant_type": explained(
            "This grant type is not offered here.",
            "Access token URL may belong to another service, or the provider offers another way to get a token.",
            "Check Grant type and Access token URL, then press Save & authorize.",
            "edit_connection",
        ),
        "invalid_scope": explained(
            "The scope was not accepted for a token.",
            "A word in Scope is mistyped, or goes beyond what was granted.",
            "Correct Scope, then press Save & authorize.",
            "edit_connection",
        ),
        "invalid_request": explained(
            f"{at_start(provider)} could not read the request for a token.",
            "A parameter is missing, given twice or not expected there.",
            "Check Send client credentials via, PKCE and the OAuth 2.0 overrides, then press Test connection.",
            "edit_connection",
        ),
        "access_denied": explained(
            f"{at_start(provider)} refused to give out a token.",
            "The account or the client is blocked from this access.",
            f"Ask at {provider} why access is refused, then press Save & authorize.",
            "authorize",
        ),
    }
    not_there = explained(
        "There is nothing at the address in Access token URL.",
        "The host answers, but not at this path, or not to a request for a token.",
        "Correct Access token URL, then press Test connection.",
        "edit_connection",
    )
    busy = explained(
        f"Too many requests for tokens were sent to {provider}.",
        "The settings are fine. A saved token stays in use for as long as it is valid.",
        "Wait a few minutes, then press Test connection.",
        "wait",
    )
    media = explained(
        "The form of the request for a token was not accepted.",
        f"{at_start(provider)} expects other headers or another body at Access token URL.",
        "Check Access token URL and the access token request headers under OAuth 2.0 overrides, "
        "then press Test connection.",
        "edit_connection",
    )
    refused = explained(
        f"{at_start(provider)} refused the request for a token.",
        "A firewall or a rule on the other side does not let this server or this client in.",
        f"Check Access token URL, and ask at {provider} whether this server may call it.",
        "edit_connection",
    )
    unknown = explained(
        "No token came back, for a reason that is not known here.",
        f"{at_start(provider)} answered with an error of its own, or with an answer that has no token in it.",
        "Read the error as it came, check the connection and its client, then press Test connection.",
        "edit_connection",
    )
    return (
        *(Rule(where=("token",), errors=(code,), explanation=explanation) for code, explanation in rows.items()),
        Rule(
            where=("token",),
            errors=("server_error", "temporarily_unavailable"),
            explanation=trouble(provider, "token"),
        ),
        Rule(where=("token",), statuses=(401, 401), explanation=invalid_client),
        Rule(where=("token",), statuses=(403, 403), explanation=refused),
        Rule(where=("token",), statuses=(404, 405), explanation=not_there),
        Rule(where=("token",), statuses=(415, 415), explanation=media),
        Rule(where=("token",), statuses=(429, 429), explanation=busy),
        Rule(where=("token",), statuses=(500, 599), explanation=trouble(provider, "token")),
        Rule(where=("token",), explanation=unknown),
    )


def _call(provider: str) -> tuple[Rule, ...]:
    """RFC 6750 §3.1, and the statuses of API calls."""
    scope = explained(
        "The token does not reach that far.",
        f"{at_start(provider)} accepts the token, but it was granted for a smaller scope than this call needs.",
        "Add what is missing to Scope, then press Save & authorize.",
        "edit_connection",
    )
    rejected = explained(
        f"{at_start(provider)} did not accept the credentials of this call.",
        "The token or password is wrong, has run out or was withdrawn, or is expected in another place.",
        "With OAuth 2.0, press Save & authorize. With another authentication type, "
        "enter the credentials again and press Test connection.",
        "edit_connection",
    )
    rows: tuple[tuple[int, int, Explanation], ...] = (
        (
            400,
            400,
            explained(
                f"{at_start(provider)} did not accept the request itself.",
                "The credentials are probably fine; a parameter of this call is missing or wrong.",
                "Check Relative URI and HTTP request body under How to test this connection, "
                "then press Test connection.",
                "edit_connection",
            ),
        ),
        (401, 401, rejected),
        (
            403,
            403,
            explained(
                "The account may not do this.",
                f"{at_start(provider)} knows who is calling but does not allow this call: "
                "a permission, a plan or a scope is missing.",
                f"Give the account access at {provider}, or choose another Relative URI, then press Test connection.",
                "edit_connection",
            ),
        ),
        (
            404,
            404,
            explained(
                "There is nothing at this address.",
                "The host answered, but Base URI and Relative URI together do not lead anywhere.",
                "Check Base URI and Relative URI, then press Test connection.",
                "edit_connection",
            ),
        ),
        (
            405,
            405,
            explained(
                "The address does not take this HTTP method.",
                "It exists, but is meant to be called another way.",
                "Choose another HTTP method under How to test this connection, then press Test connection.",
                "edit_connection",
            ),
        ),
        (
            415,
            415,
            explained(
                "The media type was not accepted.",
                f"{at_start(provider)} expects the request body in another format.",
                "Choose another Media type, then press Test connection.",
                "edit_connection",
            ),
        ),
        (
            429,
            429,
            explained(
                f"{at_start(provider)} asks callers to slow down.",
                "The credentials are fine; too many calls were made in a short time.",
                "Wait a minute, then press Test connection.",
                "wait",
            ),
        ),
        (500, 599, trouble(provider, "call")),
    )
    unknown = explained(
        "The call failed for a reason that is not known here.",
        f"{at_start(provider)} answered with something other than success. The error is shown as it came.",
        "Check Base URI and Relative URI, then press Test connection.",
        "edit_connection",
    )
    return (
        Rule(where=("call",), errors=("insufficient_scope",), explanation=scope),
        Rule(where=("call",), errors=("invalid_token",), explanation=rejected),
        *(Rule(where=("call",), statuses=(first, last), explanation=explanation) for first, last, explanation in rows),
        Rule(explanation=unknown),
    )
