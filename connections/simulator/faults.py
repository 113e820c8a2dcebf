"""Failures on demand: what `POST /_control/faults` takes, and the answer a fault gives."""

import json
from collections.abc import Mapping
from typing import Final, cast

from werkzeug.wrappers import Response

from connections.simulator import answers, lwa
from connections.simulator.pages import page
from connections.simulator.state import Fault

_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "path": (str,),
    "status": (int, type(None)),
    "times": (int,),
    "delay_ms": (int,),
    "body": (object,),
    "headers": (dict,),
}
_TOKEN_ERRORS: Final = {
    400: ("invalid_request", "The request is malformed."),
    401: ("invalid_client", "Client authentication failed"),
    403: ("access_denied", "Access not permitted."),
    429: ("temporarily_unavailable", "The service is throttling requests."),
    500: ("ServerError", "The authorization server encountered an unexpected condition."),
    503: ("temporarily_unavailable", "The service is temporarily unavailable."),
}
_API_ERRORS: Final = {
    400: answers.invalid(),
    403: answers.denied(),
    404: answers.not_found(),
    429: answers.throttled(),
    500: answers.internal_failure(),
}


class FaultError(ValueError):
    """The description of a fault is not in order; the text says why."""


def read(values: Mapping[str, object]) -> Fault:
    """{"path", "status", "times", "delay_ms", "body", "headers"} as a Fault. Only the path is needed."""
    for name, value in values.items():
        if name not in _KINDS:
            raise FaultError(f"Unknown key {name!r}. Known keys: {', '.join(_KINDS)}.")
        if not isinstance(value, _KINDS[name]) or (isinstance(value, bool) and name != "body"):
            raise FaultError(f"{name} is of the wrong kind.")
    fault = Fault(**{"path": "", **values})  # type: ignore[arg-type]  # each kind was just checked
    if not fault.path.startswith("/"):
        raise FaultError("path is needed and begins with “/”; a final “*” stands for anything.")
    if fault.status is not None and not 200 <= fault.status <= 599:
        raise FaultError("status is between 200 and 599, or null for the usual answer.")
    if fault.status is None and fault.body is not None:
        raise FaultError("body needs a status.")
    if fault.times < 1 or fault.delay_ms < 0:
        raise FaultError("times is 1 or more, delay_ms is 0 or more.")
    if not all(isinstance(text, str) for pair in fault.headers.items() for text in pair):
        raise FaultError("headers holds names and values, all of them texts.")
    return fault


def answer(fault: Fault, path: str) -> Response:
    """The fault's own answer. Without a body: what Amazon sends with that status on that path."""
    status = cast(int, fault.status)
    if fault.body is None:
        response = _usual(status, path)
    elif isinstance(fault.body, str):
        response = Response(fault.body, status, content_type="text/html; charset=utf-8")
    else:
        response = Response(json.dumps(fault.body), status, content_type="application/json")
    for name, value in fault.headers.items():
        response.headers[name] = value
    return response


def _usual(status: int, path: str) -> Response:
    if path == lwa.TOKEN_PATH:
        error, description = _TOKEN_ERRORS.get(status, ("ServerError", "The request failed."))
        return lwa.respond(status, lwa.error_body(error, description))
    if path.startswith(("/apps/", "/ap/")):
        return page("Sorry", "<section class=card><h1>Sorry, something went wrong</h1></section>", status)
    known = _API_ERRORS.get(status)
    return answers.refusal(known or answers.ApiError(status, "InternalFailure", "The request failed."))
