"""Recordings: for 15 to 60 minutes the calls of a connection are kept, secrets masked, and gone after 24 hours.

Masked are the connection's secrets and tokens in every usual writing, headers and fields whose names tell, and what looks like a
token. Of token requests nothing is kept but the names of their fields.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import requests
from django.db import DatabaseError, transaction
from django.utils import timezone

from connections import outbound
from connections.actions import connections, events
from connections.actions.errors import ActionError
from connections.actions.masks import Mask
from connections.actions.outgoing import Outgoing
from connections.models import Actor, Connection, DebugPeriod, Grant, Recording
from connections.models.pane import SECRET
from connections.models.recordings import KEPT
from connections.outbound import OutboundError
from connections.sealing import Sealed, SealError

NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
log = logging.getLogger(__name__)

MINUTES = (15, 30, 45, 60)
BODY = 64 * 1024  # characters of a body that are kept
MOST = 1000  # recordings of one connection


@transaction.atomic
def start(connection: Connection, *, minutes: int, by: Actor) -> DebugPeriod:
    """Record from now on, for 15, 30, 45 or 60 minutes; a period that is running ends with it."""
    if minutes not in MINUTES:
        raise ActionError("Choose 15, 30, 45 or 60 minutes.")
    now = timezone.now()
    DebugPeriod.objects.filter(connection=connection, ends_at__gt=now).update(ends_at=now)
    events.record(by=by, action="recording.start", about=connection, minutes=minutes)
    return DebugPeriod.objects.create(
        connection=connection, started_at=now, ends_at=now + timedelta(minutes=minutes), started_by=by.user
    )


@transaction.atomic
def stop(connection: Connection, *, by: Actor) -> None:
    now = timezone.now()
    if DebugPeriod.objects.filter(connection=connection, ends_at__gt=now).update(ends_at=now):
        events.record(by=by, action="recording.stop", about=connection)


def running(connection: Connection) -> DebugPeriod | None:
    return DebugPeriod.objects.filter(connection=connection, ends_at__gt=timezone.now()).order_by("-ends_at").first()


def export(connection: Connection, *, by: Actor) -> dict[str, Any]:
    """What was recorded in the last 24 hours, newest first, as JSON values."""
    names = [field.name for field in Recording._meta.fields if field.name not in ("id", "connection")]
    rows = Recording.objects.visible_to(by).kept().filter(connection=connection).order_by("-at").values(*names)
    recordings = [row | {"at": row["at"].isoformat()} for row in rows]
    events.record(by=by, action="recording.download", about=connection, count=len(recordings))
    return {"connection": str(connection.pk), "name": connection.name, "recordings": recordings}


def prune() -> int:
    """Delete what is older than 24 hours. Returns how many recordings that were."""
    before = timezone.now() - KEPT
    DebugPeriod.objects.filter(ends_at__lt=before).delete()
    return Recording.objects.filter(at__lte=before).delete()[0]


def mask(connection: Connection, *tokens: Sealed | None) -> Mask:
    """What hides every secret of the connection, its client and its grant, and `tokens` besides."""
    client, grant = connection.oauth_client, Grant.objects.filter(connection_id=connection.pk).first()
    sealed = [*tokens, *(getattr(connection, name) for name in SECRET if name != "encrypted_fields")]
    sealed += [client.client_secret] if client else []
    sealed += [grant.access_token, grant.refresh_token] if grant else []
    known = []
    for secret in sealed:
        if secret is not None and secret.readable:
            known.append(secret.reveal())  # to be looked for and replaced by dots, in this process only
    with suppress(SealError):  # what cannot be opened was not sent either
        known += connections.encrypted_fields(connection).values()
    known += [line for text in known if "-----BEGIN" in text for line in text.splitlines() if len(line) > 30]
    # A cookie comes back one by one, too.
    known += [part.partition("=")[2] for text in known if connection.auth_type == "cookie" for part in text.split("; ")]
    rows = [*connection.custom_headers, *connection.custom_query, *connection.custom_body]
    names = [connection.placement.name, connection.wsse_header, *(name for name, _ in rows)]
    return Mask(known, names)


def call(
    connection: Connection,
    outgoing: Outgoing,
    answer: outbound.Answer | OutboundError,
    *,
    token: Sealed | None = None,
) -> None:
    """Keep one call, if the connection is being debugged. Costs one read where it is not."""
    if not _is_on(connection):
        return
    hide = mask(connection, token)
    row = _asked(hide, outgoing) | {"request_body": _body(hide, _in_hand(outgoing), outgoing.headers)}
    if isinstance(answer, OutboundError):
        row |= {"error": f"{answer.code}: {answer.detail}"[:300]}
    else:
        row |= {
            "status": answer.status,
            "ms": answer.ms,
            "response_headers": hide.headers(answer.headers),
            "response_body": _body(hide, answer.body, answer.headers),
        }
    _keep(connection, row)


def _asked(hide: Mask, outgoing: Outgoing) -> dict[str, Any]:
    url = outgoing.url
    if outgoing.params:
        url += ("&" if "?" in url else "?") + urlencode(outgoing.params)
    return {
        "kind": "call",
        "method": outgoing.method[:20],
        "url": hide.url(url)[:BODY],
        "request_headers": hide.headers(outgoing.headers),
    }


def _in_hand(outgoing: Outgoing) -> bytes:
    return b"" if isinstance(outgoing.body, outbound.Upload) else outgoing.body


def tape(connection: Connection, outgoing: Outgoing, *, token: Sealed | None = None) -> Tape | None:
    """For a call whose bodies pass bit by bit: what keeps their beginnings. None, and one read, where nothing is debugged."""
    return Tape(connection, outgoing, token) if _is_on(connection) else None


class Tape:
    """The beginning of what is sent and received, in memory until `end` keeps it, masked, with the secrets of when it began."""

    def __init__(self, connection: Connection, outgoing: Outgoing, token: Sealed | None) -> None:
        self._connection = connection
        self._hide = mask(connection, token)
        self._outgoing = outgoing
        self._at = timezone.now()  # so that a token request that follows from the answer stands behind it
        self._sent, self._received = _Beginning(), _Beginning()
        self._sent.add(_in_hand(outgoing))
        self.sent = self._sent.add
        self.received = self._received.add

    def end(self, answer: outbound.Stream | None, error: str = "") -> None:
        """`error` says why there is no answer, or not all of it."""
        hide = self._hide
        row = _asked(hide, self._outgoing) | {"at": self._at, "error": hide.text(error)[:300]}
        row["request_body"] = self._sent.shown(hide, self._outgoing.headers)
        if answer:
            row |= {"status": answer.status, "ms": answer.ms, "response_headers": hide.headers(answer.by_name)}
            row["response_body"] = self._received.shown(hide, answer.by_name)
        _keep(self._connection, row)


class _Beginning:
    """The first bytes of a body, and how many there were in all."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._size = 0

    def add(self, part: bytes) -> None:
        self._size += len(part)
        self._kept += part[: 2 * BODY - len(self._kept)]

    def shown(self, hide: Mask, headers: Mapping[str, str]) -> str:
        coding = next((value for name, value in headers.items() if name.lower() == "content-encoding"), "")
        plain = outbound.unpacked(bytes(self._kept), coding, 2 * BODY)
        if plain is None:  # a secret in it could not be found
            return f"({self._size} bytes, not kept: in an encoding that is not read here)"
        return _body(
            hide, plain, headers, size=self._size, is_cut=self._size > len(self._kept) or len(plain) == 2 * BODY
        )


def observer(connection: Connection) -> Callable[[requests.Response], None]:
    """What a token request is told to when it is answered: host, status, time, and the names of its fields."""

    def observe(response: requests.Response) -> None:
        sent = response.request.body or b""
        token_request(
            connection,
            response.request.method or "POST",
            response.url,
            response.status_code,
            round(response.elapsed.total_seconds() * 1000),
            sent=sent.encode() if isinstance(sent, str) else bytes(sent),
            received=response.content,
        )

    return observe


def token_request(
    connection: Connection, method: str, url: str, status: int, ms: int, *, sent: bytes = b"", received: bytes = b""
) -> None:
    """Keep that a token request was made; of its bodies the names of their fields only."""
    if not _is_on(connection):
        return
    hide = mask(connection)  # a name may have been a placeholder, and so a secret
    row = {
        "kind": "token",
        "method": method[:20],
        "url": f"token request to {outbound.host_port(url)}",
        "status": status,
        "ms": ms,
        "request_body": hide.text(_names(sent, or_form=True)),
        "response_body": hide.text(_names(received)),
    }
    _keep(connection, row)


def _is_on(connection: Connection) -> bool:
    return DebugPeriod.objects.filter(connection_id=connection.pk, ends_at__gt=timezone.now()).exists()


def _keep(connection: Connection, row: dict[str, Any]) -> None:
    """A recording that cannot be written never fails the call it is of."""
    try:
        with transaction.atomic():
            if Recording.objects.filter(connection_id=connection.pk).count() < MOST:
                Recording.objects.create(connection_id=connection.pk, **row)
    except DatabaseError:
        log.warning("a call of connection %s could not be recorded", connection.pk)


def _body(hide: Mask, body: bytes, headers: Mapping[str, str], *, size: int | None = None, is_cut: bool = False) -> str:
    """What is kept of a body. `size` on the wire, where that is another; `is_cut` where there was more of it than `body`."""
    if not body:
        return ""
    size = len(body) if size is None else size
    is_cut = is_cut or len(body) > 2 * BODY
    kind = next((value for name, value in headers.items() if name.lower() == "content-type"), "")
    if b"\0" in body or "utf-16" in kind.lower() or "utf-32" in kind.lower():
        return f"({size} bytes, not kept: not text)"
    if not hide.is_safe:
        return f"({size} bytes, not kept: a secret of this connection is too short to be told apart)"
    part = body[: 2 * BODY]  # masked before it is cut, so that no half of a secret is left at the end
    try:
        text = part.decode()
    except UnicodeDecodeError as error:
        # Cut inside a character, or another encoding, in which a secret must be recognised as well.
        text = part[: error.start].decode() if error.start > len(part) - 4 else part.decode("latin-1")
    text = hide.form(text) if "urlencoded" in kind else hide.text(text)
    if is_cut:
        text = text[: -hide.longest]  # a secret may have been cut in two there
    return text if len(text) <= BODY and not is_cut else f"{text[:BODY]}\n… ({size} bytes in all)"


def _names(body: bytes, *, or_form: bool = False) -> str:
    """The names of the fields of a JSON object or a form, as "fields: a, b"; of anything else only its size."""
    try:
        parsed: Any = json.loads(body)
    except (ValueError, RecursionError):
        # Not of an answer: a bare token that ends in = would pass for the name of a field.
        parsed = dict(parse_qsl(body.decode(errors="replace"), max_num_fields=1000)) if or_form else None
    if not isinstance(parsed, dict):
        return f"({len(body)} bytes)" if body else ""
    # Only what looks like a name: the first "field" of a text that is no form may be anything.
    return "fields: " + ", ".join(sorted(name for name in parsed if NAME.fullmatch(name))[:50])
