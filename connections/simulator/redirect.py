"""Redirect URIs: which are acceptable, and how an answer is added to one."""

import re
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_UNWANTED: Final = re.compile(r"[\x00-\x20\x7f\\]")


class RedirectError(ValueError):
    """The redirect URI is refused: Amazon's code for it, and why in plain words."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


def check(uri: str, registered: Collection[str]) -> str:
    """The URI itself when it may be used. Raises RedirectError.

    https only, as at Amazon; http for this very machine, so that a product under development can be tried. With nothing
    registered any such URI is accepted; otherwise it must be one of them, character for character.
    """
    if "#" in uri:
        raise RedirectError("MD5110", "A redirect URI may not contain “#”.")
    try:
        parts = urlsplit(uri)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if not host or parts.scheme not in ("http", "https") or _UNWANTED.search(uri):
        raise RedirectError("MD5101", "A redirect URI is a full https:// address.")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise RedirectError(
            "MD5101",
            "Amazon returns to https:// addresses only. The simulator also accepts http:// for this machine itself "
            "(127.0.0.1, localhost).",
        )
    if registered and uri not in registered:
        raise RedirectError("MD5101", "This redirect URI is not one of those registered for the application.")
    return uri


def join(uri: str, answer: Mapping[str, str]) -> str:
    """`uri` with `answer` added to its query; the query it has stays as it is."""
    parts = urlsplit(uri)
    query = "&".join(part for part in (parts.query, urlencode(answer)) if part)
    return parts._replace(query=query).geturl()
