"""Which pages are compressed: those that are long and that hold no secret.

Compressing tells by its length how much of what a caller put into a page is in it already, which gives a secret away
letter by letter (BREACH). So it is off by default, and never on for the API, a recording, an answer to a post. The pages that
have it hold no secret of ours or a provider's, by design and by tests; the CSRF token in them is masked anew each time, and
Django adds a random length.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

from django.http import HttpRequest, HttpResponseBase
from django.middleware.gzip import GZipMiddleware

P = ParamSpec("P")
GZIP = GZipMiddleware(lambda request: HttpResponseBase())  # used for its answers alone


def compressed(view: Callable[P, HttpResponseBase]) -> Callable[P, HttpResponseBase]:
    """Compress what is only looked at, for whoever takes it."""

    @wraps(view)
    def shorter(*args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        response = view(*args, **kwargs)
        request = args[0]
        if isinstance(request, HttpRequest) and request.method in ("GET", "HEAD"):
            return GZIP.process_response(request, response)
        return response

    return shorter
