"""Operations: the addresses of the API as django-ninja has them. Who may, what comes in, what goes out; the rest is done elsewhere."""

from __future__ import annotations

import json
from typing import Annotated, Any, NoReturn

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path
from ninja import NinjaAPI, Path, Query
from ninja.security import HttpBearer

from connections.actions import connection_tests
from connections.actions.connection_tests import Candidate
from connections.api import access, listing, shapes, tokens
from connections.api.access import ApiRequest, Caller
from connections.api.problems import Problem, too_large
from connections.models import Scope

READ = ["GET", "HEAD"]


class Api(NinjaAPI):
    def on_exception(self, request: HttpRequest, exc: Any) -> NoReturn:
        """The front tells every failure in one way."""
        raise exc


class ApiKey(HttpBearer):
    """An API key with one scope. Where the address holds an id, that connection is looked up in the same query."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.scope = scope

    def __call__(self, request: HttpRequest) -> Caller:
        kwargs = request.resolver_match.kwargs if request.resolver_match else {}
        return access.authenticate(request, self.scope, access.parse(kwargs.get("id", "")))

    def authenticate(self, request: HttpRequest, token: str) -> NoReturn:
        raise NotImplementedError("access.authenticate reads the header.")


api = Api(title="Gatehouse", version="1", urls_namespace="api", openapi_url=None, docs_url=None)
Id = Annotated[str, Path(description="The connection’s id.")]


@api.api_operation(READ, "/connections", auth=ApiKey(Scope.CONNECTIONS), response=shapes.ConnectionList,
                   operation_id="list_connections", summary="List connections")  # fmt: skip
def list_connections(
    request: ApiRequest,
    cursor: Annotated[str, Query(description="The `next` of the page before. Leave it out for the first page.")] = "",
    limit: Annotated[int, Query(ge=1, le=listing.MOST, description="Connections on a page.")] = listing.LIMIT,
) -> dict[str, Any]:
    """All connections that the key opens, by name."""
    return listing.page(request.caller, cursor=cursor, limit=limit)


@api.api_operation(READ, "/connections/{id}", auth=ApiKey(Scope.CONNECTIONS), response=shapes.Connection,
                   operation_id="get_connection", summary="Look at a connection")  # fmt: skip
def get_connection(request: ApiRequest, id: Id) -> dict[str, Any]:
    """One connection: where it leads and how it fares."""
    found = listing.one(request.caller)
    if found is None:
        raise access.not_found()
    return found


@api.api_operation(READ, "/connections/{id}/token", auth=ApiKey(Scope.TOKENS), response=shapes.Token,
                   operation_id="get_token", summary="Get a token")  # fmt: skip
def get_token(
    request: ApiRequest,
    id: Id,
    min_valid: Annotated[
        int, Query(ge=0, le=tokens.LONGEST, description="Seconds for which the token must still be good.")
    ] = tokens.MIN_VALID,
) -> HttpResponse:
    """The access token, fresh: the stored one where it is good for `min_valid` seconds, else a new one. Ask for it before each request
    or keep it until it ends; it is fetched once, however many ask at the same time.

    Only connections with OAuth 2.0 have one. For all others use the proxy: a password, a cookie or a token that somebody typed would
    stay good after your key has been revoked, so it is never handed out.
    """
    return tokens.read(request, request.caller, min_valid=min_valid)


def token(request: HttpRequest, id: str) -> HttpResponseBase:
    """`get_token` without ninja's detour where nothing has to be validated: this one is asked for before every request."""
    if request.method == "GET" and not request.META.get("QUERY_STRING"):
        caller = access.authenticate(request, Scope.TOKENS, access.parse(id))
        return tokens.read(request, caller, min_valid=tokens.MIN_VALID)
    answer: HttpResponseBase = _get_token(request, id=id)
    return answer


@api.post("/connections/{id}/refresh", auth=ApiKey(Scope.TOKENS), response=shapes.Token,
          operation_id="refresh_token", summary="Get a new token now")  # fmt: skip
def refresh_token(request: ApiRequest, id: Id) -> HttpResponse:
    """A new access token although the stored one may still be good, for an API that refused it. Takes no body."""
    _without_body(request)
    return tokens.refresh(request, request.caller)


@api.post("/connections/{id}/test", auth=ApiKey(Scope.TEST), response=shapes.TestResult,
          operation_id="test_connection", summary="Test a connection")  # fmt: skip
def test_connection(request: ApiRequest, id: Id) -> dict[str, Any]:
    """The five steps of Test connection, one after the other; the first that fails ends it. Takes no body, and up to a minute."""
    _without_body(request)
    connection = access.load(request, request.caller)
    steps = list(connection_tests.run(Candidate(connection, stored=connection), by=request.caller.actor))
    shown = [{name: getattr(step, name) for name in ("name", "ok", "ms", "detail", "hint")} for step in steps]
    return {"ok": connection_tests.passed(steps), "steps": shown}


def _without_body(request: HttpRequest) -> None:
    """Nothing, or an empty JSON object from a client that cannot but send something. Raises Problem."""
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise too_large(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        is_empty = not request.body.strip() or json.loads(request.body) == {}
    except (ValueError, RecursionError):
        is_empty = False
    if not is_empty:
        raise Problem("invalid_request", "body: this request takes none.", hint="Send it without a body.",
                      errors=[{"field": "body", "message": "Must be empty"}])  # fmt: skip


VIEWS = [
    path(f"v1/{pattern.pattern}", pattern.callback, name=pattern.name or "")
    for pattern in api.urls[0]
    if isinstance(pattern, URLPattern) and pattern.name != "api-root"
]
_get_token = next(view.callback for view in VIEWS if view.name == "get_token")
