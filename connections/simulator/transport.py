"""HTTP/1.1 for the application: a thread for each connection, connections kept open, one write an answer.

Werkzeug's own handler closes every connection and waits ten milliseconds to do it; a simulator that others measure
themselves against must not add that. This one reads the body whole before the application runs, so the next request
begins where this one ended.
"""

import io
import socket
import threading
from typing import Final

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

from connections.simulator.server import BODY_AT_MOST, Application

IDLE_SECONDS: Final = 75
_STACK_BYTES: Final = 512 * 1024


class Handler(WSGIRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Answer one request."""
        if self.headers.get("Expect", "").lower().strip() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        environ = self.make_environ()
        body = self._body(environ.get("wsgi.input_terminated", False), environ["wsgi.input"])
        if body is None:
            self.send_error(413)
            return
        environ |= {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": str(len(body))}
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        chunks, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        answer = b"".join(chunks)
        code = int(status.split()[0])
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers and code not in (204, 304):
            self.send_header("Content-Length", str(len(answer)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers(answer if self.command != "HEAD" else b"")

    def _body(self, chunked: bool, stream: io.BufferedIOBase) -> bytes | None:
        """The whole body, or None if it is too long; the connection then ends, the rest being unread."""
        length = self.headers.get("Content-Length", "0")
        if not chunked and (not length.isdigit() or int(length) > BODY_AT_MOST):
            self.close_connection = True
            return None
        body = stream.read(BODY_AT_MOST + 1 if chunked else int(length))
        if len(body) > BODY_AT_MOST:
            self.close_connection = True
            return None
        return body

    def end_headers(self, body: bytes = b"") -> None:
        """Send headers and body in one write."""
        if body:
            self._headers_buffer.append(b"\r\n" + body)
            self.flush_headers()
        else:
            super().end_headers()

    def version_string(self) -> str:
        """What Amazon names its servers."""
        return "Server"

    def log(self, type: str, message: str, *args: object) -> None:
        """Nothing: the calls are at /_control/calls, and a query string may hold a code."""


class Server(ThreadedWSGIServer):
    """Listens; room for hundreds of connections that arrive at once."""

    request_queue_size = 1024

    def __init__(self, host: str, port: int, application: Application | None = None) -> None:
        threading.stack_size(_STACK_BYTES)
        super().__init__(host, port, application or Application(), Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is no news."""

    @property
    def url(self) -> str:
        """Where it listens."""
        host = f"[{self.host}]" if self.address_family == socket.AF_INET6 else self.host
        return f"http://{host}:{self.port}"
