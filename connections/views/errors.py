"""How failures look: a sentence of what happened and what to press, never a traceback and never a variable's value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.html import escape
from django.views.debug import SafeExceptionReporterFilter


class NoVariables(SafeExceptionReporterFilter):  # type: ignore[misc, unused-ignore]
    """No report of an exception shows a variable, a setting or a posted value: any of them may be a secret."""

    def get_traceback_frame_variables(self, request: Any, tb_frame: Any) -> Any:
        return []

    def get_post_parameters(self, request: Any) -> dict[str, Any]:
        return {}

    def get_safe_settings(self) -> dict[str, Any]:
        return {}

    def get_safe_request_meta(self, request: Any) -> dict[str, Any]:
        return {}

    def get_safe_cookies(self, request: Any) -> dict[str, Any]:
        return {}


class PlainErrors:
    """An unknown host gets a sentence that names the right address, before anything else looks at the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            request.get_host()
        except DisallowedHost:
            address = escape(settings.PUBLIC_URL)
            return HttpResponse(
                f"<!doctype html><title>Wrong address</title><p>Gatehouse answers at <a href='{address}'>{address}</a>.",
                status=400,
            )
        return self.get_response(request)


def refused(
    request: HttpRequest, *, status: int, title: str, text: str, action: str = "", url: str = ""
) -> HttpResponse:
    return render(
        request,
        "error.html",
        {"code": status, "title": title, "text": text, "action": action, "url": url},
        status=status,
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refused(
        request, status=400, title="That request made no sense", text="Go back, reload the page and try again."
    )


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    text = str(exception) or "Your role does not allow this."
    return refused(request, status=403, title="You may not do this", text=text)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refused(
        request,
        status=404,
        title="There is nothing here",
        text="It was deleted, the address is wrong, or it belongs to another team.",
    )


def server_error(request: HttpRequest) -> HttpResponse:
    text = "This is our mistake. Nothing that was stored before is lost. Go back and try again; the log says more."
    return refused(request, status=500, title="Something broke here", text=text)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    text = (
        "The page was open for long, or cookies are off, or the address in the browser is not the one Gatehouse knows. "
        "Reload the page and try again."
    )
    return refused(request, status=403, title="This form can no longer be sent", text=text)
