"""Masks: a text without the secrets of a connection, and without what looks like one. For recordings and for what providers say."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

from connections.oauth.errors import LOOKS_SECRET
from connections.sealing import DOTS

SHORTEST = 4  # characters; to replace shorter ones would garble everything and hide nothing
HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-amz-access-token", "x-amz-security-token"}
    | {"x-wsse", "x-api-key", "authentication-info"}
)
NAMED = re.compile(
    r"token|secret|passw|passphrase|pwd|api[_-]?key|private[_-]?key|access[_-]?key|credential|signature|assertion|cookie"
    r"|session[_-]?id|authorization|jwt",
    re.IGNORECASE,
)
# A name and a value as JSON, a form, an XML element, an XML attribute and a part of a multipart body have them: text before the
# value, the name in it, the value.
PAIRS = tuple(
    re.compile(pattern)
    for pattern in (
        r'(?P<before>"(?P<name>[^"\\]{1,120})"\s{0,20}:\s{0,20})(?P<value>"(?:[^"\\]|\\.)*"?|[\w.+-]+)',
        r'(?P<before>\\"(?P<name>[^"\\]{1,120})\\"\s{0,20}:\s{0,20}\\")(?P<value>[^"\\]+)',  # JSON inside JSON
        r"(?P<before>(?:^|[?&;\s\"'>])(?P<name>[\w.%\[\]-]{1,120})=)(?P<value>[^&\s\"'<]+)",
        r"(?P<before><(?P<name>[\w:.-]{1,120})(?:\s[^<>]{0,500})?>)(?P<value>[^<]+)",
        r"(?P<before>\s(?P<name>[\w:.-]{1,120})\s{0,20}=\s{0,20})(?P<value>\"[^\"]*\"?|'[^']*'?)",
        r'(?P<before>name="(?P<name>[^"]{1,120})"[^\r\n]{0,500}\r?\n(?:[^\r\n]{1,500}\r?\n){0,5}\r?\n)(?P<value>[^\r\n]+)',
    )
)
# Long runs of letters and digits are keys, hashes or tokens; words and numbers are not that long.
LONG = re.compile(r"(?<![\w+=-])(?=[\w+=-]*[0-9])(?=[\w+=-]*[A-Za-z])[\w+=-]{40,}")


class Mask:
    """Hides `secrets` in every usual writing, and values behind names that tell. `names` are further header and parameter names."""

    def __init__(self, secrets: Iterable[str], names: Iterable[str] = ()) -> None:
        known = {secret for secret in secrets if secret}
        self._short = [secret for secret in known if len(secret) < SHORTEST]
        found = {writing for secret in known if len(secret) >= SHORTEST for writing in writings(secret)}
        # Longest first, so that a secret that contains another is not left in halves.
        self._writings = sorted(found, key=len, reverse=True)
        self.longest = max((len(writing) for writing in found), default=1)
        self._names = HEADERS | {name.lower() for name in names if name}
        own = "|".join(re.escape(form) for name in names if name for form in {name, quote_plus(name)})
        self._own = re.compile(rf"((?:^|[?&])(?:{own})=)[^&]+", re.IGNORECASE) if own else None

    @property
    def is_safe(self) -> bool:
        """Whether every secret is long enough to be told from ordinary text. If not, no body should be kept."""
        return not self._short

    def text(self, text: str) -> str:
        text = self.exactly(text)
        for pattern in PAIRS:
            text = pattern.sub(_hide_named, text)
        return LONG.sub(DOTS, LOOKS_SECRET.sub(DOTS, text))

    def exactly(self, text: str) -> str:
        """Without the known secrets only."""
        for writing in self._writings:
            text = text.replace(writing, DOTS)
        return text

    def url(self, url: str) -> str:
        if not self.is_safe:
            url = url.partition("?")[0]
            return DOTS if any(secret in url for secret in self._short) else self.text(url)
        return self.text(self._own.sub(rf"\1{DOTS}", url) if self._own else url)

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        return {name: self.header(name, str(value)) for name, value in headers.items()}

    def header(self, name: str, value: str) -> str:
        if name.lower() in self._names or NAMED.search(name) or any(secret in value for secret in self._short):
            return DOTS
        return self.text(value)

    def form(self, body: str) -> str:
        """A form body, in which `names` are hidden too."""
        return self.text(self._own.sub(rf"\1{DOTS}", body) if self._own else body)


def _hide_named(match: re.Match[str]) -> str:
    if not NAMED.search(match["name"]):
        return match[0]
    quote_mark = match["value"][0] if match["value"][0] in "\"'" else ""
    return f"{match['before']}{quote_mark}{DOTS}{quote_mark}"


def writings(secret: str) -> set[str]:
    """How a secret may stand in a URL, a form, JSON, XML or base64, also inside a longer base64 text such as a Basic header's."""
    percent = {quote(secret, safe=""), quote(secret), quote(secret, safe="~()*!.'"), quote_plus(secret)}
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    for sign in [sign for sign in "<>&'=+" if sign in secret]:
        escaped |= {text.replace(sign, f"\\u00{ord(sign):{how}}") for text in escaped for how in ("02x", "02X")}
    escaped |= {text.replace("/", "\\/") for text in escaped}
    lower = {re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text) for text in percent}
    twice = {quote(text, safe="") for text in percent}
    marked = {html.escape(secret), html.escape(secret, quote=False), html.escape(secret).replace("&#x27;", "&apos;")}
    percent.add(secret.encode().decode("latin-1"))  # UTF-8 in a body that is read as another encoding
    return {secret} | percent | lower | twice | escaped | marked | _in_base64(secret.encode())


def _in_base64(secret: bytes) -> set[str]:
    """The letters that only the secret decides, for each of the three ways it can fall into groups of three bytes."""
    found = set()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + secret).decode()
        core = encoded[(0, 2, 3)[before] : (before + len(secret)) * 8 // 6]
        if len(core) >= 7:
            found |= {core, core.replace("+", "-").replace("/", "_"), quote(core, safe="")}
    return found
