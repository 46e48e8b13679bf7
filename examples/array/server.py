"""The Pebble's HTTP API: logins, paged lists, faults."""

from __future__ import annotations

import contextlib
import json
import secrets
import ssl
import threading
import time
from collections.abc import Generator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from examples.array.contents import Contents
from examples.array.faults import Faults

MOST_ITEMS = 250
"""The array gives no more a page, whatever is asked for."""
MOST_SESSIONS = 64


class ArrayServer(ThreadingHTTPServer):
    """One array at one address."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        contents: Contents | None = None,
        *,
        username: str = "monitor",
        password: str = "pebble-password",
        session_s: float = 900.0,
        faults: Faults | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(address, Handler)
        self.contents = contents or Contents()
        self.username, self.password, self.session_s = username, password, session_s
        self.faults = faults or Faults()
        self.tls = tls
        self.lock = threading.Lock()
        self.logins = 0
        self.running: dict[str, int] = {}
        self.most_running = 0
        self._sessions: dict[str, float] = {}

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @property
    def sessions(self) -> int:
        """How many are logged in."""
        with self.lock:
            self._forget_expired()
            return len(self._sessions)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's thread: a peer that never finishes its handshake holds nobody else up."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(30)
        with self.tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers that hang up are nothing to print."""

    def log_in(self, username: object, password: object) -> str | None:
        """A token; None where the login is refused."""
        if username != self.username or password != self.password:
            return None
        with self.lock:
            self._forget_expired()
            if len(self._sessions) >= MOST_SESSIONS:
                raise OverflowError(f"{MOST_SESSIONS} sessions are open")
            token = secrets.token_urlsafe(24)
            self._sessions[token] = time.monotonic() + self.session_s
            self.logins += 1
            return token

    def log_out(self, token: str) -> None:
        """Ends a session."""
        with self.lock:
            self._sessions.pop(token, None)

    def expire(self) -> None:
        """Ends all sessions."""
        with self.lock:
            self._sessions.clear()

    def knows(self, token: str) -> bool:
        """Whether a session is open."""
        with self.lock:
            self._forget_expired()
            return token in self._sessions

    def _forget_expired(self) -> None:
        now = time.monotonic()
        self._sessions = {token: end for token, end in self._sessions.items() if end > now}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def array(self) -> ArrayServer:
        """What the connection is with."""
        assert isinstance(self.server, ArrayServer)
        return self.server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what the driver sends isn't ours to print."""

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        parts = urlsplit(self.path)
        body = self._body()
        if parts.path.startswith("/_"):
            self._control(method, parts.path, body)
            return
        fault, wait = self.array.faults.next(parts.path)
        with self._counted():
            if wait:
                time.sleep(wait)
            if not self._strike(fault):
                self._api(method, parts.path, parse_qs(parts.query), body)

    @contextlib.contextmanager
    def _counted(self) -> Generator[None, None, None]:
        server, key = self.array, "requests"
        with server.lock:
            server.running[key] = server.running.get(key, 0) + 1
            server.most_running = max(server.most_running, server.running[key])
        try:
            yield
        finally:
            with server.lock:
                server.running[key] -= 1

    def _body(self) -> Any:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            return json.loads(raw) if raw else {}
        except ValueError:
            return None

    def _strike(self, fault: str) -> bool:
        """Whether the fault has answered."""
        match fault:
            case "busy":
                self._send(HTTPStatus.TOO_MANY_REQUESTS, {"error": "too many requests"}, {"Retry-After": "2"})
            case "fail":
                self._send(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "the management service restarts"})
            case "forbid":
                self._send(HTTPStatus.FORBIDDEN, {"error": "the role is too small"})
            case "garbage":
                self._send(HTTPStatus.OK, b"<html>maintenance</html>")
            case "drop":
                self.close_connection = True
            case _:
                if fault == "expire":
                    self.array.expire()
                return False
        return True

    def _control(self, method: str, path: str, body: Any) -> None:
        if (method, path) == ("PUT", "/_faults") and isinstance(body, dict):
            try:
                self.array.faults.put(body)
            except (TypeError, ValueError) as error:
                self._send(HTTPStatus.BAD_REQUEST, {"error": str(error)})
                return
            self._send(HTTPStatus.OK, {})
        elif (method, path) == ("GET", "/_state"):
            state = {"sessions": self.array.sessions, "logins": self.array.logins}
            self._send(HTTPStatus.OK, {**state, "receivers": list(self.array.contents.receivers)})
        else:
            self._send(HTTPStatus.NOT_FOUND, {"error": f"there is no {method} {path}"})

    def _api(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> None:
        if body is None:
            self._send(HTTPStatus.BAD_REQUEST, {"error": "the body is no JSON"})
            return
        if (method, path) == ("POST", "/api/session"):
            self._log_in(body)
            return
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if not self.array.knows(token):
            self._send(HTTPStatus.UNAUTHORIZED, {"error": "no session"})
            return
        if (method, path) == ("DELETE", "/api/session"):
            self.array.log_out(token)
            self._send(HTTPStatus.OK, {})
            return
        try:
            found = self._resource(method, path.removeprefix("/api/").split("/"), query, body)
        except ValueError as error:
            self._send(HTTPStatus.BAD_REQUEST, {"error": str(error)})
            return
        if found is None:
            self._send(HTTPStatus.NOT_FOUND, {"error": f"there is no {method} {path}"})
        else:
            self._send(HTTPStatus.OK, found)

    def _log_in(self, body: Any) -> None:
        try:
            token = self.array.log_in(body.get("user"), body.get("password"))
        except OverflowError as error:
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)}, {"Retry-After": "5"})
            return
        if token is None:
            self._send(HTTPStatus.UNAUTHORIZED, {"error": "user or password is wrong"})
        else:
            self._send(HTTPStatus.CREATED, {"token": token, "expires_in": self.array.session_s})

    def _resource(self, method: str, path: list[str], query: dict[str, list[str]], body: Any) -> Any:
        contents = self.array.contents
        match method, path:
            case "GET", ["system"]:
                return contents.system()
            case "GET", ["performance"]:
                return contents.samples(float(query["from"][0]), float(query["to"][0]))
            case "GET", ["performance", "latest"]:
                return {"time": contents.latest()}
            case "GET", [kind] if kind in contents.kinds:
                start, count = (int(query.get(name, [str(default)])[0]) for name, default in _PAGE)
                if start < 0 or count < 1:
                    raise ValueError("start and count must not be negative")
                return contents.page(kind, start, min(count, MOST_ITEMS))
            case "DELETE", ["alerts", seq]:
                return contents.alerts.pop(seq, None)
            case "PUT", ["trap-receivers", name]:
                contents.receivers[name] = body
                return {}
            case "DELETE", ["trap-receivers", name]:
                return contents.receivers.pop(name, None)
            case _:
                return None

    def _send(self, status: HTTPStatus, body: Any, headers: dict[str, str] | None = None) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


_PAGE = (("start", 0), ("count", 100))


@contextlib.contextmanager
def serving(server: ArrayServer) -> Generator[ArrayServer, None, None]:
    """The array at work for a block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
