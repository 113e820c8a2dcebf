"""What is missing or in the way on our own side: no client, an unreadable secret, an attempt that ended."""

from __future__ import annotations

from connections.applications.application import Explanation, Rule, explained
from connections.applications.transport_errors import at_start

_CLIENT = "the pencil beside OAuth 2.0 client"
_AGAIN = "Press Save & authorize to start again."


def state_rules(provider: str) -> tuple[Rule, ...]:
    """Rules for codes of our own that no provider sends; `provider` is a name for mid-sentence."""
    named = at_start(provider)
    rows: dict[str, Explanation] = {
        "not_authorized_yet": explained(
            "Nobody has authorized this connection yet.",
            f"Without that {provider} gives out no token.",
            "Press Save & authorize.",
            "authorize",
        ),
        "no_refresh_token": explained(
            "There is no refresh token, and the access token has ended.",
            f"{named} gave none when it was authorized, so no new access token can be had.",
            "Press Save & authorize. If it happens again, the provider may need a scope such as offline_access.",
            "authorize",
        ),
        "no_client": explained(
            "No OAuth 2.0 client with a secret is chosen.",
            f"{named} gives out tokens only to a client that it knows.",
            "Choose one under OAuth 2.0 client, or create one with + beside it.",
            "edit_connection",
        ),
        "client_secret_unreadable": explained(
            "This client needs its secret again.",
            "The stored secret cannot be opened: the encryption key it was sealed with is missing or has changed.",
            f"Press {_CLIENT} and enter Client secret again.",
            "edit_client",
        ),
        "refresh_token_unreadable": explained(
            "This connection needs to be authorized again.",
            "The stored refresh token cannot be opened: the encryption key it was sealed with is missing or has changed.",
            "Press Save & authorize, or ask the operator to put the old key back into ENCRYPTION_KEYS.",
            "authorize",
        ),
        "secret_host": explained(
            "The client’s secret may not go to this host.",
            "The host of Access token URL is not on the client’s list, so nothing was sent.",
            f"Press {_CLIENT}, add the host to “Hosts that may see the secret” and enter Client secret again.",
            "edit_client",
        ),
        "busy": explained(
            "Another refresh of this connection takes very long.",
            f"{named} answers slowly, and only one refresh at a time is sent.",
            "Wait a minute, then press Test connection.",
            "wait",
        ),
        "no_access_token": explained(
            "The answer held no access token.",
            "The address in Access token URL answered, but not as a token endpoint does.",
            "Check Access token URL, then press Save & authorize.",
            "edit_connection",
        ),
        "expired_attempt": explained(
            "The authorization took too long.",
            "It has to be finished within ten minutes. Nothing was changed.",
            _AGAIN,
            "authorize",
        ),
        "edited_meanwhile": explained(
            "The connection was edited while you were away.",
            "Its address or its client is not the one you agreed for, so the answer was not used.",
            _AGAIN,
            "authorize",
        ),
        "missing_code": explained(
            f"{named} sent no code.",
            "It sent the browser back without the code that is exchanged for tokens. Nothing was changed.",
            _AGAIN,
            "authorize",
        ),
        "invalid_callback": explained(
            f"The answer of {provider} could be read in two ways.",
            "A parameter came twice, so nothing of it was used.",
            _AGAIN,
            "authorize",
        ),
    }
    return tuple(Rule(errors=(code,), unanswered=True, explanation=explanation) for code, explanation in rows.items())
