"""What errors of Amazon mean: Login with Amazon's token endpoint, its consent page, and Selling Partner API calls.

Causes are told apart by error name first and by the words of the description second, because Amazon uses one name for
several causes. Sources: Amazon's pages on authorization errors, Login with Amazon and usage plans; recorded answers.
"""

from __future__ import annotations

from connections.applications.amazon_consent import CONSENT_ERRORS
from connections.applications.application import Action, Explanation, Rule, explained
from connections.applications.general_errors import general_rules

_CLIENT = "the pencil beside OAuth 2.0 client"
_CONSOLE = "Amazon's Solution Provider Portal"


def login_rules(token_url: str) -> tuple[Rule, ...]:
    """Rules for any application that gets its tokens from Login with Amazon, at `token_url`."""
    return (*_login(token_url), *general_rules("Amazon"))


def selling_partner_rules(*, token_url: str, account: str, roles: str) -> tuple[Rule, ...]:
    """The same and the Selling Partner API's own.

    `account`: "vendor" or "seller". `roles`: what the test call of such an account needs, to stand inside a sentence.
    """
    return (*_consent_page(), *_call(account, roles), *login_rules(token_url))


def _login(token_url: str) -> tuple[Rule, ...]:
    def rule(error: str, explanation: Explanation, *says: str) -> Rule:
        return Rule(where=("token",), errors=(error,), says=says, explanation=explanation)

    invalid_client = explained(
        "Amazon did not accept the client ID and secret.",
        "One is mistyped, an Application ID stands in place of the Client ID, or the secret was replaced: "
        "secrets of Selling Partner applications last 180 days, "
        "and an old one works for 7 days after a new one is made. "
        "The authorization itself is kept.",
        f"Press {_CLIENT}, compare Client ID and enter the newest Client secret, then press Test connection. "
        "A connection that was never authorized needs Save & authorize.",
        "edit_client",
    )
    server_error = explained(
        "Amazon's token service had a fault.",
        "The fault is at Amazon and usually passes. The authorization is kept and is tried again by itself.",
        "Wait a few minutes, then press Test connection.",
        "wait",
    )
    unavailable = explained(
        "Amazon's token service is not available at the moment.",
        "It is busy or under maintenance. The authorization is kept and is tried again by itself.",
        "Wait a few minutes, then press Test connection.",
        "wait",
    )
    return (
        rule(
            "sign_in_page",
            explained(
                "The address in Access token URL is Amazon's sign-in page.",
                "People sign in there; tokens come from another address. No secret was sent.",
                f"Change Access token URL to {token_url}, then press Save & authorize.",
                "edit_connection",
            ),
        ),
        rule("invalid_client", invalid_client),
        rule(
            "invalid_grant",
            explained(
                "The authorization code was no longer good.",
                "Amazon's code works once, for five minutes, and only with the client it was made for.",
                "Press Save & authorize again and confirm at Amazon without a long pause.",
                "authorize",
            ),
            "parameter : code",
            "parameter: code",
        ),
        rule(
            "invalid_grant",
            explained(
                "Amazon no longer accepts this authorization.",
                "It was withdrawn at Amazon or ran out (after 365 days, or when the application got a new role), "
                "or the refresh token was not copied whole.",
                "Press Save & authorize to grant access again, or paste a new refresh token.",
                "authorize",
            ),
            "revoked or didn't grant",
        ),
        rule(
            "invalid_grant",
            explained(
                "The refresh token has ended or belongs to another client.",
                "Amazon gives the same answer for a token that ran out, was withdrawn, "
                "or was issued to a different Client ID.",
                "Check that the right client is chosen under OAuth 2.0 client, then press Save & authorize.",
                "authorize",
            ),
            "issued to another client",
        ),
        rule(
            "invalid_grant",
            explained(
                "Amazon does not accept the refresh token.",
                "It was mistyped or cut short, or it has ended since it was saved.",
                "Press Save & authorize, or make a new refresh token at Amazon and paste it.",
                "authorize",
            ),
            "parameter : refresh_token",
            "parameter: refresh_token",
        ),
        rule(
            "invalid_grant",
            explained(
                "Amazon did not accept the grant.",
                "The code or refresh token behind this connection has ended, and Amazon did not say why.",
                "Press Save & authorize to grant access again.",
                "authorize",
            ),
        ),
        rule(
            "unauthorized_client",
            explained(
                "The refresh token belongs to another application.",
                "Amazon ties each refresh token to the Client ID it was made for; this client is a different one.",
                "Choose the client that was authorized under OAuth 2.0 client, "
                "or press Save & authorize to authorize this one.",
                "authorize",
            ),
        ),
        rule(
            "unsupported_grant_type",
            explained(
                "Amazon could not read which kind of token was asked for.",
                "This happens when the request goes out in another form than Amazon expects, "
                "or with a grant type it does not have.",
                "Remove changes under OAuth 2.0 overrides, check Grant type, then press Test connection.",
                "edit_connection",
            ),
        ),
        rule(
            "invalid_scope",
            explained(
                "Amazon does not know this scope.",
                "With Client credentials only Amazon's own scopes work, such as sellingpartnerapi::notifications. "
                "With Authorization code, Vendor and Seller Central take none.",
                "Choose a scope from the list in Scope, or clear it for Authorization code, "
                "then press Test connection.",
                "edit_connection",
            ),
        ),
        rule(
            "invalid_request",
            explained(
                "A part of the token request is missing.",
                "Amazon needs a Client ID, a Client secret and a code or refresh token, "
                "and names the one it did not find.",
                "Remove changes under OAuth 2.0 overrides, then press Save & authorize.",
                "edit_connection",
            ),
        ),
        rule(
            "access_denied",
            explained(
                "Amazon refused to give this client a token.",
                "The application or the developer account behind it may be blocked or not approved yet.",
                f"Look at the state of the application in {_CONSOLE}, then press Save & authorize.",
                "authorize",
            ),
        ),
        rule("server_error", server_error),
        rule("temporarily_unavailable", unavailable),
        Rule(where=("token",), statuses=(401, 401), explanation=invalid_client),
        Rule(where=("token",), statuses=(503, 503), explanation=unavailable),
        Rule(where=("token",), statuses=(500, 599), explanation=server_error),
    )


def _call(account: str, roles: str) -> tuple[Rule, ...]:
    other = "seller" if account == "vendor" else "vendor"

    def refused(title: str, meaning: str, next_step: str, action: Action, *says: str) -> Rule:
        # Amazon answers 403 where others answer 401, and says in `details` which of these it is.
        return Rule(
            where=("call",),
            statuses=(401, 403),
            says=says,
            explanation=explained(title, meaning, next_step, action),
        )

    no_role = explained(
        "Amazon accepts the token but does not allow this call.",
        f"The application has no role for it ({roles}), the account is a {other} account, the region is another one, "
        "or the path does not exist. Amazon does not say which.",
        f"Check Region and Relative URI. If a role is missing, add it in {_CONSOLE} and press Save & authorize: "
        "a new role counts from the next authorization.",
        "edit_connection",
    )
    return (
        refused(
            "No access token reached Amazon.",
            "Amazon reads the token from the header x-amz-access-token, without Bearer in front. It was not there.",
            "Remove changes to how the token is sent and to HTTP headers, then press Test connection.",
            "edit_connection",
            "access token is missing",
        ),
        refused(
            "The access token has run out.",
            "Amazon's access tokens last one hour. A new one is taken by itself; nothing has to be authorized again.",
            "Press Test connection to take a new token now.",
            "test",
            "access token you provided has expired",
        ),
        refused(
            "The client secret has run out.",
            "Amazon stops calls with a secret older than 180 days. The authorization stays good.",
            f"Make a new secret in {_CONSOLE}, press {_CLIENT}, enter it as Client secret, then press Test connection.",
            "edit_client",
            "lwa secret token",
        ),
        refused(
            "Amazon does not accept this access token.",
            "It was withdrawn, or it belongs elsewhere: "
            "a sandbox application's token does not work in production, nor the reverse.",
            "Check that Base URI fits the application (production or sandbox), then press Test connection. "
            "If that fails too, press Save & authorize.",
            "test",
            "revoked, malformed or invalid",
        ),
        refused(
            "This marketplace belongs to another region.",
            "An authorization covers one region: North America, Europe or Far East. "
            "The call named a marketplace outside it.",
            "Choose the Region of that marketplace, or make one more connection for it with + Create connection.",
            "edit_connection",
            "not valid for region",
        ),
        Rule(where=("call",), statuses=(403, 403), silent=True, explanation=no_role),
        Rule(
            where=("call",), statuses=(403, 403), says=("access to requested resource is denied",), explanation=no_role
        ),
        refused(
            "Amazon refused the call.",
            "The token was sent but not accepted for this call; Amazon's own words are shown with the error.",
            "Press Test connection to try with a new token. If that fails too, press Save & authorize.",
            "test",
        ),
        Rule(
            where=("call",),
            statuses=(400, 400),
            says=("could not match input arguments",),
            explanation=explained(
                "Amazon's sandbox has no example for this request.",
                "The credentials work. The sandbox answers only requests it has an example for.",
                "Set Relative URI to /vendor/orders/v1/purchaseOrders?limit=1, then press Test connection."
                if account == "vendor"
                else "Clear Relative URI to use the usual test, then press Test connection.",
                "edit_connection",
            ),
        ),
        Rule(
            where=("call",),
            statuses=(400, 400),
            explanation=explained(
                "Amazon did not accept a parameter of this call.",
                "The credentials work. A value is missing or wrong"
                + ("; dates may be at most 7 days apart." if account == "vendor" else "."),
                "Correct Relative URI, or clear it to use the usual test, then press Test connection.",
                "edit_connection",
            ),
        ),
        Rule(
            where=("call",),
            statuses=(429, 429),
            explanation=explained(
                "Amazon asks to slow down.",
                "The credentials work. The allowance for this call is used up for now; "
                "Amazon counts by account and application.",
                "Wait a minute, then press Test connection.",
                "wait",
            ),
        ),
        Rule(
            where=("call",),
            statuses=(500, 500),
            explanation=explained(
                "Amazon had a fault of its own.",
                "The credentials were accepted far enough for Amazon to try. Such faults usually pass.",
                "Wait a few minutes, then press Test connection. If it stays, give Amazon the request ID.",
                "wait",
            ),
        ),
    )


def _consent_page() -> tuple[Rule, ...]:
    return tuple(Rule(where=("consent",), errors=(code,), explanation=shown) for code, shown in CONSENT_ERRORS.items())
