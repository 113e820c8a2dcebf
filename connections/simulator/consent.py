"""Vendor and Seller Central's consent page, `/apps/authorize/consent`.

Takes application_id, state, redirect_uri (optional if one is registered) and version=beta for a draft application.
Confirm answers with 302 to redirect_uri and state, selling_partner_id, spapi_oauth_code. A refusal is a page with
Amazon's code and status 400; none of them ever reaches the redirect URI. Source: Amazon, “Website authorization
workflow” and “Authorization errors”.
"""

import re
from dataclasses import dataclass
from html import escape
from typing import Final
from urllib.parse import urlsplit

from werkzeug.utils import redirect as redirection
from werkzeug.wrappers import Request, Response

from connections.simulator import redirect
from connections.simulator.configuration import CONSENT_ERRORS
from connections.simulator.pages import DECISION, account_field, facts, page
from connections.simulator.registry import APPLICATIONS, PARTNERS, Application
from connections.simulator.state import State

CONSENT_PATH: Final = "/apps/authorize/consent"
_GLUED: Final = re.compile(r"[\s?]")

_ADVICE: Final = {
    "MD1000": "Add version=beta to the link while the application is a draft, and check that the application id is the "
    "one that begins with amzn1.sp.solution., not the client id.",
    "MD4100": "Compare the application id with the one shown for the application in the Solution Provider Portal.",
    "MD5100": "Add version=beta to the link, or publish the application again.",
    "MD5101": "Register exactly this redirect URI for the application, or send one that is registered.",
    "MD5110": "Remove the “#” and what follows it from the redirect URI.",
    "MD9100": "Register a redirect URI for the application, or send redirect_uri in the link.",
    "MD9999": "Build the link again: one “?”, then parameters joined by “&”, no spaces.",
    "SPDC8143": "Sign in as the primary user of the account.",
    "SPSA0404": "Choose an account of another business entity.",
    "SPSA2043": "Ask Amazon to give the vendor group this role, then try again.",
    "CONSENT_LIMIT_REACHED": "Remove an authorization that is no longer needed, or publish the application.",
}

_GRANTED: Final = (
    ("Purchase orders", "read them and acknowledge them"),
    ("Shipments", "read them and confirm them"),
    ("Invoices", "send them"),
    ("Transactions", "read how a submission went"),
)


class ConsentError(Exception):
    """The consent page refuses: Amazon's code, and why in plain words."""

    def __init__(self, code: str, why: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.why = why or CONSENT_ERRORS[code]


@dataclass(frozen=True)
class Inquiry:
    """A consent link that is in order."""

    application: Application
    redirect_uri: str
    state: str


def consent(state: State, request: Request) -> Response:
    """Show the page; on a post, do what was decided."""
    try:
        inquiry = _read(state, request)
    except ConsentError as error:
        return refusal(error.code, error.why, _ADVICE.get(error.code, ""))
    if request.method != "POST":
        return _ask(inquiry)
    account = PARTNERS.get(request.form.get("account") or next(iter(PARTNERS)))
    if request.form.get("decision") == "cancel":
        return _cancelled(state, inquiry)
    if request.form.get("decision") != "confirm" or account is None:
        return _ask(inquiry)
    code = state.issue_code(inquiry.application.client_id, account, inquiry.redirect_uri)
    answer = {"state": inquiry.state, "selling_partner_id": account.id, "spapi_oauth_code": code}
    return redirection(redirect.join(inquiry.redirect_uri, answer), 302)


def refusal(code: str, why: str, advice: str = "") -> Response:
    """Amazon's kind of error page, with status 400."""
    rest = f"<h2>What to do</h2><p>{escape(advice)}</p>" if advice else ""
    return page(
        f"Error {code}",
        f'<section class="card error" role="alert"><p class="code">Error {escape(code)}</p>'
        f"<h1>We cannot go on</h1><p>{escape(why)}</p>{rest}"
        "<p class=quiet>Nothing was granted. Amazon shows such errors here and does not send you back.</p></section>",
        400,
    )


def _read(state: State, request: Request) -> Inquiry:
    sent = request.args
    application_id, version = sent.get("application_id", ""), sent.get("version", "")
    if not application_id:
        raise ConsentError("MD9999", "The link names no application: application_id is missing.")
    if not sent.get("state"):
        raise ConsentError("MD9999", "The link carries no state: state is missing.")
    for name in ("application_id", "state", "version"):
        if _GLUED.search(sent.get(name, "")):
            raise ConsentError("MD9999", f"The link is malformed: there is a second “?” or a space in {name}.")
    if state.configuration.consent_error:
        raise ConsentError(state.configuration.consent_error)
    application = APPLICATIONS.get(application_id)
    if application is None and application_id.startswith("amzn1.application-oa2-client."):
        raise ConsentError("MD1000", "This is a client id; the link needs the application id.")
    if application is None:
        raise ConsentError("MD4100")
    if application.draft and version != "beta":
        raise ConsentError("MD1000", "The application is a draft, and the link lacks version=beta.")
    registered = state.configuration.redirect_uris
    uri = sent.get("redirect_uri") or next(iter(registered), "")
    if not uri:
        raise ConsentError("MD9100")
    try:
        return Inquiry(application, redirect.check(uri, registered), sent["state"])
    except redirect.RedirectError as error:
        raise ConsentError(error.code, error.why) from None


def _ask(inquiry: Inquiry) -> Response:
    name = escape(inquiry.application.name)
    granted = "".join(f"<li><strong>{what}</strong>: {how}</li>" for what, how in _GRANTED)
    where = urlsplit(inquiry.redirect_uri)
    rows = [
        ("Application", inquiry.application.id),
        ("Version", "Draft (version=beta)" if inquiry.application.draft else "Published"),
        ("You return to", f"{where.scheme}://{where.netloc}"),
    ]
    return page(
        f"Authorize {inquiry.application.name}",
        f'<section class="card"><h1>Authorize {name}</h1>'
        f"<p><strong>{name}</strong> asks for access to your account through the Selling Partner API.</p>"
        f'<form method="post">{account_field("Vendor group or seller account that consents", PARTNERS.values())}'
        f'<h2>It will be able to use</h2><ul class="granted">{granted}</ul>'
        '<p class="quiet">For every vendor code in the group, for 365 days. You can disable it at any time under '
        f"Manage Your Apps.</p>{DECISION}</form>{facts(rows)}</section>",
    )


def _cancelled(state: State, inquiry: Inquiry) -> Response:
    if state.configuration.cancel_redirects:
        answer = {"error": "access_denied", "error_description": "Access not permitted.", "state": inquiry.state}
        return redirection(redirect.join(inquiry.redirect_uri, answer), 302)
    return page(
        "Nothing was granted",
        '<section class="card"><h1>Nothing was granted</h1>'
        f"<p>{escape(inquiry.application.name)} has no access to your account.</p>"
        "<p>Amazon does not send you back after Cancel: close this window and return to where you came from.</p>"
        '<p class="quiet">With the setting <code>cancel_redirects</code> the simulator does send you back.</p>'
        "</section>",
    )
