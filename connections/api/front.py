"""The front of the API: below /api/ this middleware answers by itself, so that no session, cookie, CSRF or sign-in is looked at.

Every failure leaves as a problem document, every answer with `Cache-Control: no-store` and the headers of its key's rate limit.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.urls import get_resolver

from connections.actions import teams
from connections.api import problems
from connections.api.problems import Problem

# Whatever a view or a provider says of them. The one page, the documentation, takes its stylesheet and nothing else.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
}


class ApiFirst:
    """Answers what is below /api/; hands everything else on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.is_set_up = False

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith("/api/"):
            return self.get_response(request)
        try:
            answer = self._answer(request)
        except Exception as error:
            answer = problems.response(problems.of(error, request, getattr(request, "connection", None)))
            # What had to be logged was. Django would write a line for each request that is turned away.
            answer._has_been_logged = True  # type: ignore[attr-defined]
        if getattr(answer, "is_as_it_came", False):
            return answer  # a provider's, made safe in the proxy
        for name, value in HEADERS.items():
            answer.headers[name] = value
        _tell_rate(request, answer)
        if request.method == "HEAD" and isinstance(answer, HttpResponse):
            length = str(len(answer.content))
            answer.content = b""
            answer.headers["Content-Length"] = length
        return answer

    def _answer(self, request: HttpRequest) -> HttpResponseBase:
        self._check(request)
        match = request.resolver_match = get_resolver("connections.api.urls").resolve(
            request.path_info.removeprefix("/api")
        )
        answer: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        if isinstance(answer, HttpResponseNotAllowed):
            raise problems.method_not_allowed(answer.headers["Allow"])
        return answer

    def _check(self, request: HttpRequest) -> None:
        """The right address, and an owner. Costs no query once there is one."""
        try:
            request.get_host()
        except DisallowedHost:
            hint = f"Gatehouse answers at {settings.PUBLIC_URL}."
            raise Problem("bad_request", "This is not the address of Gatehouse.", hint=hint) from None
        self.is_set_up = self.is_set_up or teams.is_set_up()
        if not self.is_set_up:
            hint = "Open the setup link from the server’s output. If it is gone: manage.py setup_link prints a new one."
            raise Problem("not_set_up", "Nobody has set up Gatehouse yet.", hint=hint)


def _tell_rate(request: HttpRequest, answer: HttpResponseBase) -> None:
    rate = getattr(request, "rate", None)
    if rate is not None:
        answer.headers["RateLimit-Limit"] = str(rate.limit)
        answer.headers["RateLimit-Remaining"] = str(rate.remaining)
        answer.headers["RateLimit-Reset"] = str(rate.reset)
        answer.headers["RateLimit-Policy"] = f"{rate.limit};w=60"
