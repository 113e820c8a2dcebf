"""The control routes: under `/_control/`: JSON for tests, and the buttons of the page at `/` for people.

    POST reset           -> {"reset": true}
    POST faults          {"path", "status", "times", "delay_ms", "body", "headers"} -> [fault], those still to come.
                         A path may end with “*”; without a status the answer is the usual one, only late
    GET  faults          -> [fault]
    POST faults/clear    -> []
    POST config          {some keys of configuration.Configuration} -> the whole configuration
    GET  config          -> the whole configuration
    POST revoke          {"refresh_token"}, every grant when empty -> {"revoked": how many}
    POST grants          {"account", "client_id"}, both optional -> {"selling_partner_id", "refresh_token"}: what
                         “Authorize app” in the Solution Provider Portal does, without a consent page
    GET  grants          -> [{"selling_partner_id", "client_id", "scope", "granted_at", "refreshes"}], without tokens
    GET  calls           -> [{"method", "path", "status", "grant_type", "at"}], oldest first, the last ten thousand

A body that is not in order gets 400 and {"error": why}. A form post does the same and answers with the page.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from connections.simulator import control_page, faults
from connections.simulator.configuration import Configuration, ConfigurationError
from connections.simulator.registry import CLIENT_ID, CLIENT_IDS, PARTNERS
from connections.simulator.state import Grant, State

CONTROL: Final = "/_control/"

Values = Mapping[str, Any]


class ControlError(ValueError):
    """A control request that is not in order."""


def control(state: State, request: Request) -> Response:
    """Answer a control route."""
    name = request.path.removeprefix(CONTROL)
    if name not in _POST and name not in _GET:
        raise NotFound()
    if request.method in ("GET", "HEAD") and name in _GET:
        return _answer(_GET[name](state))
    if request.method != "POST" or name not in _POST:
        raise MethodNotAllowed(["POST"] * (name in _POST) + ["GET"] * (name in _GET))
    try:
        values, by_hand = _read(request)
        result = _POST[name](state, values)
    except (ControlError, ConfigurationError, faults.FaultError) as error:
        return _answer({"error": str(error)}, 400)
    if not by_hand:
        return _answer(result)
    return control_page.new_grant(result) if name == "grants" else redirect("/", 303)


def _read(request: Request) -> tuple[Values, bool]:
    """(the values, whether a form sent them). Text that begins like JSON is JSON, whatever its content type says."""
    text = request.get_data(cache=True, parse_form_data=False).strip()
    if text and not text.startswith((b"{", b"[")) and request.form:
        if "json" in request.form:
            text = request.form["json"].encode()
        elif "settings" in request.form:
            return _settings(request.form), True
        else:
            return request.form.to_dict(), True
        return _object(text), True
    return _object(text or b"{}"), False


def _object(text: bytes) -> Values:
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ControlError(f"The body is not JSON: {error}.") from None
    if not isinstance(values, dict):
        raise ControlError("The body is a JSON object.")
    return values


def _settings(form: Mapping[str, str]) -> Values:
    """The settings form, each text turned into the kind of its key."""
    values: dict[str, Any] = {}
    for name, default, _, _ in Configuration.described():
        text = form.get(name, "").strip()
        try:
            if isinstance(default, bool):
                values[name] = name in form
            elif isinstance(default, int):
                values[name] = int(text)
            elif isinstance(default, tuple):
                values[name] = text.split()
            elif default is None:
                values[name] = float(text) if text else None
            else:
                values[name] = text
        except ValueError:
            raise ControlError(f"{name} is a number.") from None
    return values


def _answer(body: object, status: int = 200) -> Response:
    response = Response(json.dumps(body), status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _reset(state: State, values: Values) -> object:
    state.reset()
    return {"reset": True}


def _add_fault(state: State, values: Values) -> object:
    fault = faults.read(values)
    with state.lock:
        state.faults.append(fault)
    return _faults(state)


def _clear_faults(state: State, values: Values) -> object:
    with state.lock:
        state.faults.clear()
    return []


def _configure(state: State, values: Values) -> object:
    with state.lock:
        state.configuration = state.configuration.merge(values)
    return _configuration(state)


def _revoke(state: State, values: Values) -> object:
    return {"revoked": state.revoke(values.get("refresh_token") or None)}


def _grant(state: State, values: Values) -> object:
    account = PARTNERS.get(values.get("account") or next(iter(PARTNERS)))
    client_id = values.get("client_id") or CLIENT_ID
    if account is None or client_id not in CLIENT_IDS:
        raise ControlError(f"account is one of {', '.join(PARTNERS)}; client_id one of {', '.join(CLIENT_IDS)}.")
    grant = state.create_grant(client_id, account)
    return {"selling_partner_id": account.id, "refresh_token": grant.refresh_token}


def _faults(state: State) -> object:
    with state.lock:
        return [asdict(fault) for fault in state.faults]


def _configuration(state: State) -> object:
    return state.configuration.values()


def _calls(state: State) -> object:
    with state.lock:
        return [asdict(call) for call in state.calls]


def _grants(state: State) -> object:
    with state.lock:
        return [_shown(grant) for grant in state.grants.values()]


def _shown(grant: Grant) -> dict[str, object]:
    return {
        "selling_partner_id": grant.account.id,
        "client_id": grant.client_id,
        "scope": grant.scope,
        "granted_at": grant.granted_at,
        "refreshes": grant.refreshes,
    }


_POST: Final[dict[str, Callable[[State, Values], object]]] = {
    "reset": _reset,
    "faults": _add_fault,
    "faults/clear": _clear_faults,
    "config": _configure,
    "revoke": _revoke,
    "grants": _grant,
}
_GET: Final[dict[str, Callable[[State], object]]] = {
    "faults": _faults,
    "config": _configuration,
    "calls": _calls,
    "grants": _grants,
}
