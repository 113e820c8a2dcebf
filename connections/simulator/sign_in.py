"""Login with Amazon's sign-in page, `/ap/oa`: for profile data. No scope here opens the Selling Partner API.

Takes client_id, scope, response_type=code, redirect_uri, state and optionally code_challenge with its method (S256 or
plain, the default). Confirm redirects with code, scope, state; Cancel with error=access_denied. Source: Amazon,
“Authorization Code Grant”; RFC 7636 for PKCE.
"""

import re
from html import escape
from typing import Final
from urllib.parse import urlsplit

from werkzeug.utils import redirect as redirection
from werkzeug.wrappers import Request, Response

from connections.simulator import redirect
from connections.simulator.consent import refusal
from connections.simulator.pages import DECISION, account_field, facts, page
from connections.simulator.registry import CLIENT_IDS, CLIENT_NAMES, CUSTOMERS, PROFILE_SCOPES
from connections.simulator.state import State

SIGN_IN_PATH: Final = "/ap/oa"
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_SHARED: Final = {
    "profile": "Your name and email address",
    "profile:user_id": "Your user id",
    "postal_code": "Your postal code",
}


def sign_in(state: State, request: Request) -> Response:
    """Show the page; on a post, do what was decided."""
    decision = request.form.get("decision")
    if request.method == "POST" and (decision not in ("confirm", "cancel") or "client_secret" in request.form):
        # A token request sent here by mistake gets what it gets at Amazon: a page for people, and status 200.
        return page("Sign in", _SIGN_IN)
    client_id, uri = request.args.get("client_id", ""), request.args.get("redirect_uri", "")
    if client_id not in CLIENT_IDS:
        return refusal("400 Bad Request", "An unknown client was specified." if client_id else "client_id is missing.")
    try:
        redirect.check(uri, state.configuration.redirect_uris)
    except redirect.RedirectError as error:
        return refusal("400 Bad Request", f"The redirect URI you provided is not allowed. {error.why}")
    wrong = _fault(request)
    if wrong:
        return _back(request, {"error": wrong[0], "error_description": wrong[1]})
    if request.method != "POST":
        return _ask(request)
    if decision == "cancel":
        return _back(request, {"error": "access_denied", "error_description": "Access not permitted."})
    account = CUSTOMERS.get(request.form.get("account") or next(iter(CUSTOMERS)))
    if account is None:
        return _ask(request)
    scope, challenge = request.args["scope"], request.args.get("code_challenge", "")
    method = request.args.get("code_challenge_method") or "plain"
    code = state.issue_code(client_id, account, uri, scope, challenge=challenge, challenge_method=method)
    return _back(request, {"code": code, "scope": scope})


def _fault(request: Request) -> tuple[str, str] | None:
    """(error, error_description) to send back, if the request is not in order."""
    sent = request.args
    if sent.get("response_type") != "code":
        return "unsupported_response_type", "The response type is not supported. Use response_type=code."
    scopes = sent.get("scope", "").split()
    if not scopes or not PROFILE_SCOPES.issuperset(scopes):
        return "invalid_scope", "The request has an invalid parameter : scope"
    challenge, method = sent.get("code_challenge"), sent.get("code_challenge_method")
    if method is not None and method not in ("S256", "plain"):
        return "invalid_request", "The request has an invalid parameter : code_challenge_method"
    if (method is not None and not challenge) or (challenge and not _CHALLENGE.fullmatch(challenge)):
        return "invalid_request", "The request has an invalid parameter : code_challenge"
    return None


def _back(request: Request, answer: dict[str, str]) -> Response:
    if "state" in request.args:
        answer["state"] = request.args["state"]
    return redirection(redirect.join(request.args["redirect_uri"], answer), 302)


def _ask(request: Request) -> Response:
    name = CLIENT_NAMES[request.args["client_id"]]
    shared = "".join(f"<li>{_SHARED[scope]}</li>" for scope in request.args["scope"].split())
    where = urlsplit(request.args["redirect_uri"])
    return page(
        f"Sign in to {name}",
        f'<section class="card"><h1>Sign in to {escape(name)}</h1>'
        f"<p><strong>{escape(name)}</strong> asks Login with Amazon who you are.</p>"
        f'<form method="post">{account_field("Customer who signs in", CUSTOMERS.values())}'
        f'<h2>It will see</h2><ul class="granted">{shared}</ul>{DECISION}</form>'
        f"{facts([('You return to', f'{where.scheme}://{where.netloc}')])}</section>",
    )


_SIGN_IN: Final = (
    '<section class="card"><h1>Sign in</h1><p>This is the sign-in page for people. A program that wants a token sends '
    "its request to <code>/auth/o2/token</code>; at Amazon that is <code>https://api.amazon.com/auth/o2/token</code>.</p>"
    "</section>"
)
