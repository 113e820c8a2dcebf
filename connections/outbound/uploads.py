"""Request bodies that come bit by bit from whoever calls, and go out the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator

PART = 64 * 1024  # bytes that are read at once, at most


class UploadError(Exception):
    """Whoever sent the request body broke off before its end."""


class Upload:
    """A request body of `length` bytes (None: not told), read by `read(size)`, which gives b"" at the end.

    Goes out with a Content-Length where the length is known, else in chunks. A body that turned out short can be had again:
    `keep` is how many bytes are remembered for that. `on_part` is shown each part that goes out. Raises UploadError where `read`
    fails or ends early.
    """

    def __init__(self, read: Callable[[int], bytes], length: int | None, *, keep: int = 0) -> None:
        self._source = read
        self._left = length
        self._kept: bytearray | None = bytearray()
        self.length = length
        self.keep = keep
        self.on_part: Callable[[bytes], None] | None = None
        if length is not None:
            self.len = length  # where requests looks for it

    def __iter__(self) -> Iterator[bytes]:
        while part := self._read():
            if self.on_part:
                self.on_part(part)
            yield part

    def whole(self, at_most: int) -> bytes | None:
        """All of it, what has gone out already included. None where it is longer than `at_most` bytes, or not remembered."""
        if self.length is not None and self.length > at_most:
            return None
        self.keep = at_most
        while self._kept is not None and self._read():
            pass
        return None if self._kept is None else bytes(self._kept)

    def _read(self) -> bytes:
        size = PART if self._left is None else min(PART, self._left)
        if not size:
            return b""
        try:
            part = self._source(size)
        except Exception:
            part = None  # it may quote what came
        if part is None or (not part and self._left):
            raise UploadError("The request body broke off before its end.")
        if not part:
            self._left = 0  # nobody is asked again
        elif self._left is not None:
            self._left -= len(part)
        if self._kept is not None:
            self._kept += part
            if len(self._kept) > self.keep:
                self._kept = None
        return part
