"""The OpenAPI document, and the page that is written from it. Both are open to everybody: they say what is in the source anyway."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from connections.api import problems, shapes
from connections.api.operations import api
from connections.api.problems import KINDS, Problem
from connections.models import Scope

PREFIX = "/api/v1"
METHODS = ("get", "post")
ABOUT = """Gatehouse keeps connections to HTTP APIs and their tokens fresh.

Send `Authorization: Bearer gth_…` with an API key. A key has scopes and may be limited to some connections; any other connection does
not exist for it. Every answer to a valid key tells its limit of requests a minute: `RateLimit-Limit`, `RateLimit-Remaining`,
`RateLimit-Reset` (seconds) and `RateLimit-Policy`.

Failures are `application/problem+json` (RFC 9457). Look at `code`; `detail` and `hint` are for people. Times are ISO 8601 in UTC."""

ALWAYS = ("bad_request", "unauthorized", "forbidden", "rate_limited", "internal_error", "unavailable", "not_set_up")
NO_TOKEN = ("not_authorized_yet", "reauthorization_required", "client_rejected", "secret_unreadable", "misconfigured",
            "no_access_token", "provider_unavailable")  # fmt: skip
# How each operation may fail, besides ALWAYS, and the scope that it needs.
OPERATIONS: dict[str, tuple[Scope, tuple[str, ...]]] = {
    "list_connections": (Scope.CONNECTIONS, ("invalid_request",)),
    "get_connection": (Scope.CONNECTIONS, ("not_found",)),
    "get_token": (Scope.TOKENS, ("not_found", "invalid_request", *NO_TOKEN)),
    "refresh_token": (Scope.TOKENS, ("not_found", "invalid_request", "too_large", *NO_TOKEN)),
    "test_connection": (Scope.TEST, ("not_found", "invalid_request", "too_large")),
}
PROXIED = """Any method with any body is sent to the base URI and the path, with the connection’s headers and its token, and the provider’s
answer comes back as it came: status, headers, body. Both bodies are passed on bit by bit, so size does not matter, and an event
arrives when it is sent. Path and query go out byte for byte; a path that would leave the base URI is refused.

Not passed on are your `Authorization` and cookies and the provider’s `Set-Cookie`, headers for the next hop only, and those by which a
browser or a cache would let the answer rule over this address. Of `Accept-Encoding`, gzip and deflate are passed on.

An answer that means "not authorized" is repeated once with a new token, if the body is at most 1 MB. What comes then is passed on, with
the header `Gatehouse-Verdict: unauthorized`. One that means "slow down" is passed on with `Gatehouse-Verdict: rate_limited`: wait as its
`Retry-After` says; the next calls of the connection are held up until then. The connection’s concurrency level and its wait time between
requests are kept: calls queue for up to 30 seconds.

An answer of Gatehouse itself has the header `Gatehouse-Error`, which is its `code`; the provider’s never has it. Where the provider
breaks off, or sends nothing for 30 seconds, your connection is closed before the end of the body. A call may last 15 minutes."""


def _proxy() -> dict[str, Any]:
    """The one address that takes any method; on the page it is told once."""
    id = {"name": "id", "in": "path", "required": True, "description": "The connection’s id."}
    path = {
        "name": "path",
        "in": "path",
        "required": True,
        "description": "Behind the base URI, with slashes; then the query.",
    }
    told = {
        "summary": "Send a request through a connection",
        "description": PROXIED,
        "security": [{"api_key": [Scope.PROXY.value]}],
        "parameters": [
            id | {"schema": {"type": "string", "format": "uuid", "examples": [shapes.ID]}},
            path | {"schema": {"type": "string", "examples": ["vendor/orders/v1/purchaseOrders?limit=1"]}},
        ],
    }
    no_token = [code for code in NO_TOKEN if code != "no_access_token"]
    own = failures((*ALWAYS, "not_found", "invalid_request", "too_large", *no_token))
    for response in own.values():
        response["headers"]["Gatehouse-Error"] = {"description": "The `code`.", "schema": {"type": "string"}}
    verdict = {"description": "unauthorized or rate_limited.", "schema": {"type": "string"}}
    passed = {"description": "The provider’s answer, as it came.", "headers": {"Gatehouse-Verdict": verdict}}
    item: dict[str, Any] = {}
    for method in ("get", "head", "post", "put", "patch", "delete", "options"):
        item[method] = told | {"operationId": f"proxy_{method}", "responses": own | {"default": passed}}
        if method not in ("get", "head", "options"):
            item[method]["requestBody"] = {"description": "Any.", "content": {"*/*": {}}}
    return item


# Paths of plain views, which ninja does not know: {path below PREFIX: what makes its OpenAPI path item}.
PLAIN: dict[str, Callable[[], dict[str, Any]]] = {"/connections/{id}/proxy/{path}": _proxy}
RATE_HEADERS = {
    "RateLimit-Limit": "Requests a minute of this key, over all that use it.",
    "RateLimit-Remaining": "Requests left in this minute.",
    "RateLimit-Reset": "Seconds until the next minute.",
}


@require_safe
def api_document(request: HttpRequest) -> JsonResponse:
    return JsonResponse(document(settings.PUBLIC_URL), json_dumps_params={"ensure_ascii": False})


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    return render(
        request,
        "api/api_docs.html",
        {
            "document": document(settings.PUBLIC_URL),
            "operations": list(_sections(document(settings.PUBLIC_URL))),
            "codes": KINDS,
            "scopes": Scope.choices,
        },
    )


@lru_cache(maxsize=4)
def document(public_url: str) -> dict[str, Any]:
    """OpenAPI 3.1. `public_url` is the server."""
    made: dict[str, Any] = dict(api.get_openapi_schema(path_prefix=PREFIX))
    made["info"] = {"title": "Gatehouse", "version": "1", "description": ABOUT}
    made["servers"] = [{"url": public_url}]
    made["components"]["securitySchemes"] = {
        "api_key": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key, made by an administrator of the team.",
        }
    }
    made["components"]["schemas"] |= _schemas(shapes.Problem)
    for item in made["paths"].values():
        item.pop("head", None)  # the same as get, without the body
        for operation in item.values():
            _complete(operation)
    made["paths"] |= {PREFIX + path: item() for path, item in PLAIN.items()}
    return made


def failures(codes: tuple[str, ...]) -> dict[str, Any]:
    """OpenAPI responses for these codes, by status."""
    found: dict[str, Any] = {}
    for code in codes:
        kind = KINDS[code]
        response = found.setdefault(str(kind.status), {"description": "", "headers": {}, "content": {}})
        response["description"] = " ".join(filter(None, [response["description"], f"`{code}`: {kind.meaning}"]))
        if kind.status in (429, 503):
            response["headers"]["Retry-After"] = _header("Seconds to wait.")
        if kind.status == 401:
            response["headers"]["WWW-Authenticate"] = {"description": "Bearer", "schema": {"type": "string"}}
        content = response["content"].setdefault(
            problems.CONTENT_TYPE, {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
        )
        content["examples"][code] = {"value": Problem(code, kind.meaning, hint="What to do about it.").as_json()}
    return found


def _complete(operation: dict[str, Any]) -> None:
    scope, codes = OPERATIONS[operation["operationId"]]
    operation["security"] = [{"api_key": [scope.value]}]
    for parameter in operation["parameters"]:
        if parameter["name"] == "id":
            parameter["schema"] |= {"format": "uuid", "examples": [shapes.ID]}
    for response in operation["responses"].values():
        response["headers"] = {name: _header(text) for name, text in RATE_HEADERS.items()}
    answered = {str(status): response for status, response in operation["responses"].items()}
    operation["responses"] = answered | failures((*ALWAYS, *codes))


def _header(text: str) -> dict[str, Any]:
    return {"description": text, "schema": {"type": "integer"}}


def _schemas(shape: type[shapes.Problem]) -> dict[str, Any]:
    made = shape.model_json_schema(ref_template="#/components/schemas/{model}")
    inner: dict[str, Any] = made.pop("$defs", {})
    return inner | {shape.__name__: made}


def _sections(made: dict[str, Any]) -> Any:
    """Each operation as the page shows it."""
    schemas = made["components"]["schemas"]
    for path, item in made["paths"].items():
        is_plain = path.removeprefix(PREFIX) in PLAIN
        for method in list(item)[:1] if is_plain else item:
            operation = item[method]
            answer = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
            name = answer.get("schema", {}).get("$ref", "").rpartition("/")[2]
            yield {
                "id": operation["operationId"],
                "method": "ANY" if is_plain else method.upper(),
                "path": path,
                "summary": operation["summary"],
                "paragraphs": operation.get("description", "").split("\n\n"),
                "scope": operation["security"][0]["api_key"][0],
                "parameters": operation.get("parameters", []),
                "answer": name,
                "fields": list(_fields(schemas.get(name, {}), schemas)),
                "codes": [code for status in operation["responses"].values() for content in status.get("content", {}).values()
                          for code in content.get("examples", {})],
            }  # fmt: skip


def _fields(schema: dict[str, Any], schemas: dict[str, Any], prefix: str = "") -> Any:
    for name, field in schema.get("properties", {}).items():
        inner = field.get("items", field)
        of = inner.get("$ref", "").rpartition("/")[2]
        is_object = "properties" in schemas.get(of, {})
        full = f"{prefix}{name}{'[]' if 'items' in field else ''}"
        if is_object:
            yield from _fields(schemas[of], schemas, f"{full}.")
        else:
            yield {"name": full, "type": _kind(field, schemas), "text": field.get("description", "")}


def _kind(field: dict[str, Any], schemas: dict[str, Any]) -> str:
    """A type in words, such as `date-time or null`, or the values that there are."""
    if "anyOf" in field:
        return " or ".join(_kind(each, schemas) for each in field["anyOf"])
    if "$ref" in field:
        return _kind(schemas[field["$ref"].rpartition("/")[2]], schemas)
    if "enum" in field:
        return ", ".join(field["enum"])
    return str(field.get("format") or field.get("type", ""))
