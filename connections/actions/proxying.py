"""The proxy: what an integration sends goes out through a connection, and the answer comes back, bit by bit.

Built, signed, let through in turn and recorded as any other call (`calls`). What is its own:

- Nothing is held but what is needed: a body up to `REPEATABLE` for the one repeat, up to `IN_HAND` where the authentication reads
  it; the first `PEEK` bytes of an answer that may say "not authorized" or "slow down".
- "Not authorized" takes a new token and repeats the request once, if it can be sent again. What is said then is passed on.
- "Slow down" is passed on as it came, for the caller to wait; a wait that it names holds up the next calls of the connection.
- The slot is held while the answer passes and renewed meanwhile: a process that is killed has it for less than a minute longer.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

from connections import outbound
from connections.actions import calls, outgoing, recordings, slots, verdicts
from connections.actions.calls import Request
from connections.actions.errors import GrantError
from connections.actions.slots import CallError
from connections.models import Actor, Connection
from connections.outbound import OutboundError, Upload, UploadError

__all__ = ["CallError", "CallerGoneError", "Proxied", "Request", "Upload", "UploadError", "send"]

log = logging.getLogger(__name__)

REPEATABLE = 1024 * 1024  # bytes of a request body that is kept for the repeat
IN_HAND = 5 * 1024 * 1024  # bytes of a request body that its authentication reads
PEEK = 64 * 1024  # bytes of an answer
LEASE = 45  # seconds a slot is held at a time: longer than anything may keep it from being renewed
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
REFUSED = frozenset({"TRACE", "CONNECT"})  # they would show what was sent, token and all; and open a tunnel
READABLE = frozenset({"gzip", "x-gzip", "deflate", "identity"})


class CallerGoneError(Exception):
    """Whoever asked has hung up."""


class Proxied:
    """An answer on its way to the caller: iterate for its body, as it is on the wire, and `close` it whatever happens.

    `headers` in their order. `verdict` says whether it still means "not authorized" or "slow down". Iterating raises OutboundError
    where the provider breaks off, CallerGoneError where the caller did, CallError where the slot was lost.
    """

    def __init__(self, stream: outbound.Stream, lease: slots.Lease, tape: recordings.Tape | None) -> None:
        self.status, self.reason, self.headers = stream.status, stream.reason, stream.headers
        self.verdict: Literal["", "unauthorized", "rate_limited"] = ""
        self._stream = stream
        self._lease = lease
        self._tape = tape

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            part = next(self._stream)
        except StopIteration:
            self._end()
            raise
        except OutboundError as error:
            self._end(f"{error.code}: {error.detail}")
            raise
        except Exception as error:
            self._end(str(error) or type(error).__name__)
            raise
        if self._tape:
            self._tape.received(part)
        return part

    def close(self) -> None:
        """Let go of provider and slot, also in the middle of the body. Doing it again changes nothing."""
        self._end("The caller took no more of the answer.")

    def answer(self, size: int) -> outbound.Answer:
        """What has to be judged: with the first `size` bytes of the body, unpacked. Where that is all, nothing is held any more."""
        stream = self._stream
        part = stream.peek(size) if size else b""
        if stream.is_over:
            self._lease.end()
        headers = stream.by_name
        body = outbound.unpacked(part, headers.get("Content-Encoding", ""), size) or b""
        return outbound.Answer(stream.status, headers, body, stream.ms, stream.host)

    def drop(self) -> None:
        """Another answer, or a failure, takes its place."""
        if self._tape:
            self._tape.received(self._stream.peek(PEEK))
        self._end()

    def _end(self, error: str = "") -> None:
        self._stream.close()
        self._lease.end()
        if self._tape:
            self._tape.end(self._stream, error)
            self._tape = None


def send(
    connection: Connection, request: Request, *, by: Actor, is_gone: Callable[[], bool] = lambda: False
) -> Proxied:
    """Send a caller's request, and return once the answer begins. `is_gone` says whether the caller has hung up.

    Raises CallError where the request may not be made, GrantError where it cannot be signed, OutboundError where no answer came,
    UploadError and CallerGoneError where the caller broke off. Must not be called inside a transaction.
    """
    request = _in_hand(connection, request)
    credential = calls.Credential(connection, by, None, may_renew=True)
    while True:
        proxied = _send(connection, request, credential, is_gone)
        try:
            answer = _judge(connection, proxied)
            if proxied.verdict == "unauthorized":
                again = _again(request)
                if again and credential.renew(is_certain=verdicts.is_dead_token(connection, answer)):
                    proxied.drop()
                    request = again
                    continue
            if proxied.verdict == "rate_limited" and (wait := verdicts.retry_after(connection, answer)):
                slots.pause(connection, wait)
        except GrantError:
            proxied.drop()  # the answer was one, and is recorded as such
            raise
        except BaseException:
            proxied.close()
            raise
        return proxied


def _in_hand(connection: Connection, request: Request) -> Request:
    """The request, its body in memory where that is needed, or short and of known length."""
    method = request.method.upper()
    if not TOKEN.fullmatch(method) or method in REFUSED:
        text = f"{method[:20]!r} is not sent through a connection."
        raise CallError("invalid_request", text, hint="Any method is, but for TRACE and CONNECT.")
    body = request.body
    if not isinstance(body, Upload):
        return request
    if outgoing.reads_body(connection, outgoing.passed_on(request.headers)):
        whole = body.whole(IN_HAND)
        if whole is None:
            raise CallError(
                "too_large",
                f"This connection’s authentication reads the request body, which is longer than {IN_HAND // 2**20} MB.",
                hint="Send less at once, or have the token sent in a header: Send token via.",
            )
        return replace(request, body=whole)
    if body.length is not None and (whole := body.whole(REPEATABLE)) is not None:
        return replace(request, body=whole)
    body.keep = REPEATABLE if body.length is None else 0
    return request


def _again(request: Request) -> Request | None:
    """The same once more; None for a body that has gone by."""
    if not isinstance(request.body, Upload):
        return request
    whole = request.body.whole(REPEATABLE)
    return None if whole is None else replace(request, body=whole)


def _send(
    connection: Connection, request: Request, credential: calls.Credential, is_gone: Callable[[], bool]
) -> Proxied:
    """Once over the wire, signed anew, in a slot and at its turn."""
    ready = calls.ready(connection, request, credential, seconds=LEASE)
    going, lease, tape = ready.outgoing, ready.lease, None

    def look() -> None:
        if is_gone():
            raise CallerGoneError("The caller hung up.")
        lease.renew()

    try:
        lease.renew()
        if all(name.lower() != "accept-encoding" for name in going.headers):
            going.headers["Accept-Encoding"] = _codings(request)
        tape = recordings.tape(connection, going, token=ready.token)
        if tape and isinstance(going.body, Upload):
            going.body.on_part = tape.sent
        stream = outbound.stream(
            going.method, going.url, headers=going.headers, params=going.params, body=going.body, auth=going.auth,
            client=going.identity, on_wait=look,
        )  # fmt: skip
    except BaseException as error:
        lease.end()
        if tape:
            tape.end(None, f"{error.code}: {error.detail}" if isinstance(error, OutboundError) else str(error))
        raise
    return Proxied(stream, lease, tape)


def _judge(connection: Connection, proxied: Proxied) -> outbound.Answer:
    """Set the verdict. Returns what it was made of."""
    answer = proxied.answer(0)
    if verdicts.needs_body(connection, answer.status, answer.headers, PEEK):
        answer = proxied.answer(PEEK)
    proxied.verdict = verdicts.problem(connection, answer)
    if proxied.verdict == "unauthorized":
        proxied.answer(PEEK)  # most often all of it: then neither slot nor provider has to wait for the new token
    return answer


def _codings(request: Request) -> str:
    """Of the encodings that the caller takes, those that can be read here: a verdict or a recording may need to."""
    asked = next((value for name, value in request.headers.items() if name.lower() == "accept-encoding"), "")
    wanted = [part.strip() for part in asked.split(",")]
    return ", ".join(part for part in wanted if part.partition(";")[0].strip().lower() in READABLE) or "identity"
