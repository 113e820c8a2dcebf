"""A browser without a screen: one connection kept open, cookies, forms sent as the pages hold them."""

from __future__ import annotations

import gzip
import html
import http.client
import re
import time
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit


@dataclass(frozen=True)
class Answer:
    """`seconds` from the first byte sent to the last one received; `size` in bytes, as they went over the wire."""

    status: int
    location: str
    text: str
    seconds: float
    size: int

    @property
    def next_page(self) -> str:
        """Where the page's own link to the next one leads."""
        found = re.search(r'href="([^"]+)" rel="next"', self.text)
        assert found, "the page has no link to a next one"
        return html.unescape(found[1])


class Browser:
    """Asks one server. `seconds` adds up what its answers took."""

    def __init__(self, url: str, cookies: dict[str, str] | None = None) -> None:
        self.netloc = urlsplit(url).netloc
        self.cookies = dict(cookies or {})
        self.seconds = 0.0
        self._connection = http.client.HTTPConnection(self.netloc, timeout=60)

    def get(self, url: str, **headers: str) -> Answer:
        return self._ask("GET", url, None, headers)

    def post(self, url: str, values: dict[str, str]) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://{self.netloc}"}
        return self._ask("POST", url, urlencode(values).encode(), headers)

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, url: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        sent = {"Accept-Encoding": "gzip", "Accept": "text/html"} | headers
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        began = time.perf_counter()
        self._connection.request(method, path, body, sent)
        response = self._connection.getresponse()
        content = response.read()
        seconds = time.perf_counter() - began
        self.seconds += seconds
        for cookie in response.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        head = sum(len(name) + len(value) + 4 for name, value in response.getheaders()) + len("HTTP/1.1 200 OK\r\n\r\n")
        text = gzip.decompress(content) if response.headers.get("Content-Encoding") == "gzip" else content
        return Answer(
            response.status, response.headers.get("Location", ""), text.decode(), seconds, head + len(content)
        )


def csrf_token(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found, "the page has no form"
    return found[1]
