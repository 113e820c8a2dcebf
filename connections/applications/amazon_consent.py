"""The codes that Amazon's consent page shows, by code.

They stay on Amazon's page and hardly ever reach the redirect URL, so they are for looking up.
Source: Amazon's page on authorization errors and the issue threads of its documentation.
"""

from __future__ import annotations

from collections.abc import Mapping

from connections.applications.application import Explanation, explained

_CLIENT = "the pencil beside OAuth 2.0 client"
_CONSOLE = "Amazon's Solution Provider Portal"

CONSENT_ERRORS: Mapping[str, Explanation] = {
    "MD1000": explained(
        "Amazon has no published version of this application.",
        "The application is still a draft, or the Application ID is not its own.",
        f"Turn on version=beta for a draft, or press {_CLIENT} and correct Application ID, "
        "then press Save & authorize.",
        "edit_connection",
    ),
    "MD4100": explained(
        "Amazon cannot find the application.",
        "The Application ID is mistyped, or a Client ID stands in its place.",
        f"Press {_CLIENT}, enter the Application ID that begins with amzn1.sp.solution, then press Save & authorize.",
        "edit_client",
    ),
    "MD5100": explained(
        "This version of the application cannot be authorized.",
        "Its published version does not fit the account, "
        "which vendors meet when only the draft version is meant for them.",
        "Turn on version=beta, then press Save & authorize. If it stays, ask Amazon's developer support.",
        "edit_connection",
    ),
    "MD5101": explained(
        "The redirect URL is not registered with Amazon.",
        "Amazon compares it letter by letter with the ones saved for the application.",
        f"Copy Redirect URL from the pane into the application in {_CONSOLE}, save there, then press Save & authorize.",
        "authorize",
    ),
    "MD5110": explained(
        "The redirect URL has a # in it.",
        "Amazon does not take redirect URLs with a part after #.",
        f"Register the Redirect URL of the pane, as it is shown, in {_CONSOLE}, then press Save & authorize.",
        "authorize",
    ),
    "MD9100": explained(
        "The application has no login or redirect URL at Amazon.",
        "Both must be filled in together; with only one, Amazon saves neither.",
        f"Fill in both in {_CONSOLE}, then press Save & authorize.",
        "authorize",
    ),
    "MD9999": explained(
        "Amazon could not read the address of the consent page.",
        "It has a blank, a second question mark or another slip in it.",
        "Choose Marketplace again to fill in a fresh Authorization URL, then press Save & authorize.",
        "edit_connection",
    ),
    "SPDC8143": explained(
        "The person signed in at Amazon may not authorize applications.",
        "Only the primary user of the account may.",
        "Ask the primary user of the Amazon account to sign in, then press Save & authorize.",
        "authorize",
    ),
    "SPSA0404": explained(
        "Amazon does not offer this to the kind of account that signed in.",
        "The account's business entity is not supported, for example an account of the wrong kind or country.",
        "Check Marketplace, sign in at Amazon with the right account, then press Save & authorize.",
        "authorize",
    ),
    "SPSA2043": explained(
        "The vendor group may not manage applications.",
        "The group that signed in has no role SPDS-VC-MYA, which Vendor Central needs for this.",
        "Ask the administrator of the Vendor Central account for that role, then press Save & authorize.",
        "authorize",
    ),
    "CONSENT_LIMIT_REACHED": explained(
        "The application has used up its authorizations.",
        "Amazon allows 10 by pasted token, and 25 by consent for a seller application that is not listed in its "
        "Appstore.",
        f"Withdraw authorizations that are no longer used in {_CONSOLE}, or have the application listed, "
        "then press Save & authorize.",
        "authorize",
    ),
}
