"""One guarded request, from a URL to an answer."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict

from connections.outbound.adapter import DEADLINE, FOREIGN_ERRORS, MAX_BYTES, Redirects, session
from connections.outbound.errors import translate
from connections.outbound.identity import Identity
from connections.outbound.urls import target


@dataclass(frozen=True)
class Answer:
    """What came back. `headers` compare names without case; `body` is decoded from gzip and the like, while the headers
    Content-Encoding and Content-Length still tell of the wire; `ms` counts the whole call; `host` is "host" or
    "host:port". Headers and body may hold secrets, so the repr shows neither."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    ms: int
    host: str


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | list[tuple[str, str]] | None = None,
    data: Mapping[str, str] | list[tuple[str, str]] | bytes | str | None = None,
    json: Any = None,
    auth: tuple[str, str] | AuthBase | None = None,
    max_bytes: int = MAX_BYTES,
    deadline: float = DEADLINE,
    redirects: Redirects = "refuse",
    client: Identity | None = None,
) -> Answer:
    """Send one request and read the answer, whatever its status. Redirects are never followed.

    `max_bytes` caps the decoded body, `deadline` is in seconds for the whole call. An answer that points elsewhere
    raises OutboundError("redirect"), or with `redirects="return"` is given back like any other. `client` is shown to
    servers that ask for a TLS client certificate. Raises OutboundError only.
    """
    place = target(url)
    started = time.monotonic()
    try:
        with session(max_bytes=max_bytes, deadline=deadline, redirects=redirects, client=client) as opened:
            response = opened.request(
                method,
                url,
                headers=dict(headers or {}),
                params=params,
                data=data,
                json=json,
                # An auth that does nothing, so that requests looks nowhere else for one.
                auth=auth or unchanged,
                allow_redirects=False,
            )
        return Answer(
            status=response.status_code,
            headers=CaseInsensitiveDict(response.headers),
            body=response.content,
            ms=round((time.monotonic() - started) * 1000),
            host=str(place),
        )
    except FOREIGN_ERRORS as exc:
        error = translate(exc, str(place))
    raise error


def unchanged(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """An `auth` that adds nothing."""
    return prepared
