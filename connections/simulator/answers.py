"""How the Selling Partner API answers: a body and its headers, or `{"errors": [{code, message, details}]}`."""

import json
import uuid
from dataclasses import dataclass
from typing import Any, Final

from werkzeug.wrappers import Request, Response

from connections.simulator.registry import Account
from connections.simulator.state import State
from connections.simulator.tokens import Claims

Answer = tuple[int, dict[str, Any] | None]

_ERROR_TYPES: Final = {
    400: "InvalidInputException",
    403: "AccessDeniedException",
    404: "NotFoundException",
    429: "QuotaExceededException",
    500: "InternalFailureException",
}


@dataclass(frozen=True)
class Caller:
    """A call that passed the checks. `account` is None for a grantless token."""

    state: State
    request: Request
    claims: Claims
    account: Account | None

    @property
    def vendor(self) -> Account:
        """The vendor group; only in operations that let nobody else in."""
        assert self.account is not None
        return self.account


class ApiError(Exception):
    """The API refuses."""

    def __init__(self, status: int, code: str, message: str, details: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


def denied(details: str = "") -> ApiError:
    """403. Empty details are all that Amazon says of a missing role, another account type or an unknown path."""
    return ApiError(403, "Unauthorized", "Access to requested resource is denied.", details)


def invalid(details: str = "", message: str = "The request is invalid.", code: str = "InvalidInput") -> ApiError:
    """400."""
    return ApiError(400, code, message, details)


def not_found() -> ApiError:
    """404."""
    return ApiError(404, "NotFound", "The resource specified does not exist.")


def no_match() -> ApiError:
    """What the static sandbox says when no pattern fits the request."""
    return invalid(message="Could not match input arguments")


def throttled() -> ApiError:
    """429."""
    return ApiError(429, "QuotaExceeded", "You exceeded your quota for the requested resource.")


def internal_failure() -> ApiError:
    """500."""
    return ApiError(500, "InternalFailure", "We encountered an internal error. Please try again.")


def refusal(error: ApiError, rate: str = "") -> Response:
    """The answer for `error`. `rate` is left out where Amazon leaves it out."""
    item = {"code": error.code, "message": error.message, "details": error.details}
    response = success(error.status, {"errors": [item]}, rate)
    response.headers["x-amzn-ErrorType"] = _ERROR_TYPES.get(error.status, error.code)
    return response


def success(status: int, body: dict[str, Any] | None, rate: str = "") -> Response:
    """A JSON answer with a request id, and the rate limit on 20x, 400 and 404 only (Amazon, “Usage plans”)."""
    text = "" if body is None else json.dumps(body)
    response = Response(text, status, content_type="application/json")
    if body is None:
        del response.headers["Content-Type"]
    response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
    if rate and (200 <= status < 300 or status in (400, 404)):
        response.headers["x-amzn-RateLimit-Limit"] = rate
    return response
