"""One address before several servers, as nginx in its usual setting: in turn, and the next one where a server is not there.

What may be sent twice (GET, HEAD) goes to the next server also where one breaks off before it has answered.
"""

from __future__ import annotations

import http.client
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}


class Balancer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.servers: list[str] = []  # "host:port"
        self.served: list[tuple[str, str]] = []  # (server, path), oldest first
        self._turn = itertools.count()
        self._lock = threading.Lock()

    def in_turn(self) -> list[str]:
        with self._lock:
            first = next(self._turn) % len(self.servers)
        return self.servers[first:] + self.servers[:first]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Balancer

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        headers["X-Forwarded-For"] = self.client_address[0]
        for server in self.server.in_turn() * 2:
            connection = http.client.HTTPConnection(server, timeout=60)
            try:
                try:
                    connection.connect()
                except OSError:
                    continue
                try:
                    connection.request(self.command, self.path, body or None, headers)
                    answer = connection.getresponse()
                    content = answer.read()
                except (OSError, http.client.HTTPException):
                    if self.command in ("GET", "HEAD"):
                        continue
                    break
            finally:
                connection.close()
            self.server.served.append((server, urlsplit(self.path).path))
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            return
        self.send_error(502)

    do_GET = do_POST = do_HEAD = _pass_on

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def running() -> Iterator[Balancer]:
    balancer = Balancer()
    thread = threading.Thread(target=balancer.serve_forever, daemon=True)
    thread.start()
    yield balancer
    balancer.shutdown()
    balancer.server_close()
    thread.join(10)
