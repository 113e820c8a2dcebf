"""A real HTTP(S) server on loopback that answers as it is told and remembers what it was asked."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs

from requests.structures import CaseInsensitiveDict

JSON = "application/json;charset=UTF-8"


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: values[-1] for name, values in parse_qs(self.body.decode(), keep_blank_values=True).items()}


class Server:
    """`answer` sets the next and all later answers; `asked` lists the requests; `url` is its root.

    With `reads` off a request is listed before its body is read, and `respond` reads it: `handler.parts()`.
    """

    def __init__(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def respond(self) -> None:
                headers = CaseInsensitiveDict(self.headers.items())
                body = b"".join(self.parts()) if server.reads else b""
                target = self.requestline.split(" ")[1]  # self.path has lost a second slash in front
                server.asked.append(Asked(self.command, target, headers, body))
                server.respond(self)

            def parts(self) -> Iterator[bytes]:
                """The body of the request, as it comes."""
                if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                    left = int(self.headers.get("Content-Length", 0))
                    while left and (part := self.rfile.read1(min(left, 65536))):  # type: ignore[attr-defined]
                        left -= len(part)
                        yield part
                    if left:
                        raise ConnectionError("the body broke off")
                    return
                while size := int(self.rfile.readline(), 16):
                    yield self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()

            def __getattr__(self, name: str) -> Any:
                if name.startswith("do_"):
                    return self.respond
                raise AttributeError(name)

            def log_message(self, *args: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: Any) -> None:
                pass  # clients that hang up, as those with a deadline do

        self.asked: list[Asked] = []
        self.reads = True
        self.respond: Callable[[Any], None] = lambda handler: None
        self._http = Quiet((host, 0), Handler)
        if tls:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.scheme = "https" if tls else "http"
        self.port = self._http.server_address[1]
        self.url = f"{self.scheme}://{host}:{self.port}"
        self.json({})

    def answer(self, status: int, body: bytes | str = b"", content_type: str = JSON, **headers: str) -> None:
        content = body.encode() if isinstance(body, str) else body

        def respond(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in {"content-type": content_type, **headers}.items():
                if value:
                    handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            if handler.command != "HEAD":
                handler.wfile.write(content)

        self.respond = respond

    def json(self, fields: object, status: int = 200, **headers: str) -> None:
        self.answer(status, json.dumps(fields), **headers)

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        self._http.server_close()
