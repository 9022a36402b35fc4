"""The page's server, which only this machine reaches."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ferplus_data.errors import InputError
from models.serving.demo_page.looking import Looker
from models.serving.demo_page.page import page, static

HOST = "127.0.0.1"
LARGEST = 32 * 2**20
"""Bytes of a picture."""
_FILES = {
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/server.js": ("server.js", "text/javascript; charset=utf-8"),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def make_server(looker: Looker, name: str, port: int) -> ThreadingHTTPServer:
    """Return the server of the page for the model called `name`, on `port` of this machine, or on a free one for 0.

    Raises:
        InputError: The port is taken.
    """
    try:
        server = ThreadingHTTPServer((HOST, port), _handler(looker, name))
    except OSError as error:
        raise InputError(
            f"demo: expected port {port} to be free, found: {error.strerror}; choose another with --port"
        ) from error
    server.daemon_threads = True
    return server


def serve(looker: Looker, name: str, port: int, *, say: Callable[[str], None]) -> None:
    """Serve the page until interrupted. Errors as `make_server`."""
    with make_server(looker, name, port) as server:
        say(f"{name}: http://{HOST}:{server.server_port}  Ctrl-C ends it")
        server.serve_forever()


def _handler(looker: Looker, name: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self._is_for_this_machine():
                return
            if self.path == "/model":
                self._answer(200, json.dumps({"name": name}).encode(), "application/json")
            elif self.path == "/":
                self._answer(200, page(["page.js", "server.js"]).encode(), "text/html; charset=utf-8")
            elif self.path in _FILES:
                file, kind = _FILES[self.path]
                self._answer(200, static(file), kind)
            else:
                self._answer(404, b"", "text/plain")

        def do_POST(self) -> None:
            if not self._is_for_this_machine():
                return
            length = self.headers.get("Content-Length", "")
            if self.path != "/look" or not length.isdecimal() or int(length) > LARGEST:
                self._refuse(f"expected a picture of up to {LARGEST // 2**20} MB")
                return
            try:
                self._answer(
                    200, json.dumps(looker.look(self.rfile.read(int(length)))).encode(), "application/json"
                )
            except InputError as error:
                self._refuse(str(error))

        def _is_for_this_machine(self) -> bool:
            # A page elsewhere may have its own name lead here; it is not to read what the camera sees.
            if self.headers.get("Host", "").rpartition(":")[0] in (HOST, "localhost"):
                return True
            self._answer(403, b"", "text/plain")
            return False

        def _refuse(self, why: str) -> None:
            self.close_connection = True
            self._answer(400, json.dumps({"error": why}).encode(), "application/json")

        def _answer(self, code: int, content: bytes, kind: str) -> None:
            self.send_response(code)
            for header, value in (
                ("Content-Type", kind),
                ("Content-Length", str(len(content))),
                ("Content-Security-Policy", _POLICY),
                ("Cache-Control", "no-store"),
            ):
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a line per request would bury what matters."""

    return Handler
