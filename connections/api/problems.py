"""Problems: every failure below /api/ as `application/problem+json` (RFC 9457).

Raise a `Problem`, or let any other exception out of a view: `of` turns each into one. `response` writes it. Nothing here holds a
secret, a body of a provider or a traceback.
"""

from __future__ import annotations

import json
import logging
import math
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse
from ninja.errors import ValidationError

from connections.actions.errors import ActionError, GrantError, SecretHostError
from connections.actions.slots import CallError
from connections.applications import Failure
from connections.models import Connection
from connections.outbound import OutboundError

log = logging.getLogger(__name__)
CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    status: int
    title: str
    meaning: str  # for the documentation


# By `code`, the word that a program looks at. It never changes; titles and sentences may.
KINDS = {
    "bad_request": Kind(400, "The request makes no sense", "It came to another host name, or cannot be read."),
    "unauthorized": Kind(401, "No valid API key", "There is no API key, or it is wrong, revoked or expired."),
    "forbidden": Kind(403, "The API key may not do this", "The key lacks the scope that the request needs."),
    "not_found": Kind(404, "There is nothing here", "No such connection in the key’s team or on its list, or no such path."),
    "method_not_allowed": Kind(405, "The method does not exist here", "The Allow header names the methods that do."),
    "not_authorized_yet": Kind(409, "Nobody has authorized the connection yet", "A person has to press Save & authorize."),
    "reauthorization_required": Kind(409, "The connection must be authorized again", "The provider ended the authorization."),
    "client_rejected": Kind(409, "The provider rejects the client", "Client ID or secret must be corrected."),
    "secret_unreadable": Kind(409, "A stored secret cannot be opened", "It must be entered again, or its key put back."),
    "misconfigured": Kind(409, "The connection’s settings are wrong", "A person has to correct the connection."),
    "no_access_token": Kind(409, "The connection has no access token", "It does not use OAuth 2.0. Use the proxy."),
    "too_large": Kind(413, "The request is too large", "Send less at once."),
    "unsupported_media_type": Kind(415, "The body is of another kind than is read here", "Correct Content-Type."),
    "invalid_request": Kind(422, "The request is not valid", "A parameter or the body does not fit; `errors` names each."),
    "rate_limited": Kind(429, "Too many requests", "Wait for Retry-After seconds."),
    "internal_error": Kind(500, "Something broke here", "A mistake of Gatehouse; its log says more."),
    "unavailable": Kind(503, "Gatehouse cannot answer now", "Its database is away. Wait for Retry-After seconds."),
    "not_set_up": Kind(503, "Gatehouse is not set up yet", "Nobody has opened the setup link."),
    "provider_unavailable": Kind(503, "The provider does not answer", "Wait for Retry-After seconds. A good token stays in use."),
}  # fmt: skip
WAIT = 5  # seconds, where nobody knows better


class Problem(Exception):
    """A request that fails. `detail` is what happened, `hint` what to do about it; further keywords are extension members."""

    def __init__(
        self, code: str, detail: str, *, hint: str = "", headers: Mapping[str, str] | None = None, **extension: Any
    ) -> None:
        super().__init__(code)
        self.code, self.detail, self.hint = code, detail, hint
        self.headers = dict(headers or {})
        self.extension = extension

    @property
    def kind(self) -> Kind:
        return KINDS[self.code]

    def as_json(self) -> dict[str, Any]:
        told = {
            "type": f"{settings.PUBLIC_URL}/api/v1/docs#{self.code}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "code": self.code,
            "hint": self.hint,
        }
        return told | {name: value for name, value in self.extension.items() if value is not None}


def response(problem: Problem) -> HttpResponse:
    text = json.dumps(problem.as_json(), ensure_ascii=False)
    answer = HttpResponse(text.encode(errors="replace"), status=problem.kind.status, content_type=CONTENT_TYPE)
    for name, value in problem.headers.items():
        answer.headers[name] = value
    return answer


def retry_after(seconds: float | None) -> dict[str, str]:
    """The header, in whole seconds, at least one."""
    return {"Retry-After": str(max(1, math.ceil(seconds if seconds is not None else WAIT)))}


def page(connection: Connection) -> str:
    """Where a person puts a connection right."""
    return f"{settings.PUBLIC_URL}/connections/{connection.pk}/"


def of(error: Exception, request: HttpRequest, connection: Connection | None = None) -> Problem:
    """The problem that any exception of a view is told as. What nobody expected is logged, without the texts that may quote."""
    match error:
        case Problem():
            return error
        case GrantError() if connection is not None:
            return of_grant(error, connection)
        case CallError():
            return Problem(error.code, str(error), hint=error.hint, headers=_waits(error.code, error.retry_after))
        case OutboundError() if connection is not None:
            failure = Failure(error=error.code, description=error.detail, where="call")
            return _explained("provider_unavailable", failure, connection, retry_after(None))
        case SecretHostError():
            return Problem("misconfigured", str(error), hint=page(connection) if connection else "")
        case ActionError():
            return Problem("invalid_request", str(error))
        case ValidationError():
            return _invalid(error)
        case Http404():
            return Problem("not_found", "There is nothing at this address.", hint=_see())
        case PermissionDenied():
            return Problem("forbidden", "This is not allowed.")
        case RequestDataTooBig():
            return too_large(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        case SuspiciousOperation() | BadRequest():
            return Problem("bad_request", "The request cannot be read.", hint=_see())
        case DatabaseError() | InterfaceError():
            log.error("%s: the database does not answer: %s", request.path, type(error).__name__)
            return Problem("unavailable", "The database does not answer.", hint="Try again.", headers=retry_after(None))
    frames = traceback.extract_tb(error.__traceback__)
    where = "".join(f"\n  {frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    log.error("%s %s broke: %s%s", request.method, request.path, type(error).__name__, where)
    return Problem(
        "internal_error", "This is a mistake of Gatehouse.", hint="Try again. The log of Gatehouse says more."
    )


def of_grant(error: GrantError, connection: Connection) -> Problem:
    """No token could be had: why, in the provider's words and in ours, and the page where it is put right."""
    return _explained(error.code, error.failure, connection, _waits(error.code, error.retry_after))


def too_large(most: int) -> Problem:
    return Problem("too_large", f"More than {most} bytes.", hint="Send less at once.")


def method_not_allowed(allowed: str) -> Problem:
    """`allowed` is what the Allow header says (RFC 9110 §15.5.6)."""
    return Problem("method_not_allowed", f"This address takes {allowed}.", hint=_see(), headers={"Allow": allowed})


def _explained(code: str, failure: Failure, connection: Connection, headers: Mapping[str, str]) -> Problem:
    told = connection.provider.explain(failure)
    said: dict[str, Any] = {"reason": failure.error}
    if failure.status is not None:
        said |= {
            "provider_status": failure.status,
            "provider_error": failure.error,
            "provider_error_description": failure.description or None,
            "provider_request_id": failure.request_id,
        }
    hint = f"{told.next_step} {page(connection)}"
    return Problem(code, f"{told.title} {told.meaning}", hint=hint, headers=headers, **said)


def _waits(code: str, seconds: float | None) -> dict[str, str]:
    return retry_after(seconds) if KINDS[code].status in (429, 503) else {}


def _invalid(error: ValidationError) -> Problem:
    """Which parameter, and why; never what was sent."""
    errors = [{"field": ".".join(map(str, each["loc"])), "message": str(each["msg"])} for each in error.errors]
    detail = "; ".join(f"{each['field']}: {each['message']}" for each in errors[:3])
    return Problem("invalid_request", f"{detail}.", hint=_see(), errors=errors)


def _see() -> str:
    return f"The API is described at {settings.PUBLIC_URL}/api/v1/docs."
