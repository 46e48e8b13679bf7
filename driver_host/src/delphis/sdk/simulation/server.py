"""A simulated array with an HTTP API. Subclass `Simulator`, name its routes, and let its state answer."""

from __future__ import annotations

import contextlib
import logging
import re
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, TypeVar, cast

from delphis.sdk.simulation.certificate import Certificate, certificate_for
from delphis.sdk.simulation.errors import SimulationError
from delphis.sdk.simulation.faults import Fault, Faults
from delphis.sdk.simulation.messages import Answer, Headers, Request
from delphis.sdk.simulation.sessions import Sessions

LOGGER = logging.getLogger("delphis.simulation")
MOST_BODY = 16 << 20
MOST_LOGGED = 100_000
HANDSHAKE_SECONDS = 10.0

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Served:
    """A request that came, and how it ended.

    Attributes:
        request: As it came.
        status: Of the answer; None: a fault kept it from being given.
        seconds: From the request's end to the answer.
        connection: Number of the connection that it came over.
    """

    request: Request
    status: int | None
    seconds: float
    connection: int


def route(method: str, path: str, *, login: bool = True) -> Callable[[_F], _F]:
    """Marks a method of a `Simulator` that answers requests. It gets the request, and what `{name}` in the path stands
    for, and returns an `Answer`, or a body for status 200.

    Args:
        method: Of HTTP.
        path: Such as `/api/volumes/{name}`.
        login: Only with an open session (see `Simulator.token_of`).
    """

    def mark(function: _F) -> _F:
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))
        marks: list[Any] = getattr(function, "_routes", [])
        setattr(function, "_routes", [*marks, (method.upper(), re.compile(pattern), login)])  # noqa: B010 - untyped
        return function

    return mark


class Simulator:
    """A simulated array on a socket of its own, served by threads. Use it as a context manager.

        class Box(Simulator):
            @route("POST", "/login", login=False)
            def log_in(self, request):
                return {"token": self.sessions.open()}

            @route("GET", "/volumes")
            def volumes(self, request):
                return {"items": self.all_volumes}

    Attributes:
        sessions: The sessions that are open.
        faults: What goes wrong.
        log: What was asked, in order; a copy is safe to look at.
        connections: How many connections were made.
    """

    #: The header that carries the session's token.
    token_header: ClassVar[str] = "X-Auth-Token"

    def __init__(
        self, *, host: str = "127.0.0.1", port: int = 0, tls: bool = False, sessions: Sessions | None = None
    ) -> None:
        """
        Args:
            host: To listen at.
            port: To listen at; 0: the system chooses.
            tls: With a certificate made for it.
            sessions: With limits of their own.
        """
        self.sessions = sessions or Sessions()
        self.faults = Faults()
        self.log: list[Served] = []
        self.connections = 0
        self.certificate: Certificate | None = certificate_for(host) if tls else None
        self._host, self._port = host, port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._routes = [
            (*mark, getattr(self, name))
            for name in dir(type(self))
            for mark in getattr(getattr(type(self), name), "_routes", ())
        ]

    # ---- What a simulator may say differently ----

    def answer(self, request: Request) -> Answer:
        """The answer to a request. Default: that of the route which fits."""
        allowed = False
        for method, pattern, login, function in self._routes:
            match = pattern.fullmatch(request.path)
            if match is None:
                continue
            allowed = True
            if method != request.method:
                continue
            if login and not self.sessions.valid(self.token_of(request)):
                return self.not_logged_in(request)
            made = function(request, **match.groupdict())
            return made if isinstance(made, Answer) else Answer(200, made)
        return Answer(405 if allowed else 404, {"error": f"nothing at {request.method} {request.path}"})

    def token_of(self, request: Request) -> str | None:
        """The session's token in a request. Default: the text of `token_header`, without a scheme."""
        text = request.headers.get(self.token_header)
        return text if text is None else text.rpartition(" ")[2]

    def not_logged_in(self, request: Request) -> Answer:
        """The answer to a request that needs a session and has none. Default: 401."""
        return Answer(401, {"error": "log in first"})

    # ---- Its life ----

    @property
    def host(self) -> str:
        """Where it listens."""
        return self._host

    @property
    def port(self) -> int:
        """Where it listens."""
        if self._server is None:
            raise SimulationError("The simulator has not been started.")
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}"

    def start(self) -> None:
        """Begins to serve. SimulationError where the address can't be had."""
        try:
            self._server = _Server(self._host, self._port, self)
        except OSError as error:
            raise SimulationError(f"Can't listen at {self._host}:{self._port}: {error.strerror or error}.") from None
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="simulator", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends serving, and all connections."""
        self._stopped.set()
        server, self._server = self._server, None
        if server is not None and self._thread is not None:
            server.shutdown()
            self._thread.join(10)
            server.end_connections()
            server.server_close()

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def serve_until_interrupted(self) -> None:
        """Serves as a process of its own: prints the address, and ends with SIGINT or SIGTERM."""
        ended = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        with self:
            print(self.url, flush=True)
            ended.wait()

    def requests(self, method: str | None = None, path: str | None = None) -> list[Request]:
        """What was asked so far, all or those of a method and a path."""
        with self._lock:
            served = list(self.log)
        return [
            each.request
            for each in served
            if (method is None or each.request.method == method) and (path is None or each.request.path == path)
        ]

    # ---- Of the connections ----

    def connected(self) -> int:
        """Counts a connection; returns its number."""
        with self._lock:
            self.connections += 1
            return self.connections

    def note(self, served: Served) -> None:
        """Keeps a request in the log, which forgets the oldest beyond 100,000."""
        with self._lock:
            self.log.append(served)
            if len(self.log) > MOST_LOGGED:
                del self.log[: MOST_LOGGED // 10]

    def pause(self, seconds: float | None) -> bool:
        """Waits, until the simulator stops at most; True where it did."""
        return self._stopped.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, simulator: Simulator) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.simulator = simulator
        self._tls = simulator.certificate.context() if simulator.certificate else None
        self._open: set[Any] = set()
        self._reset: set[Any] = set()
        self._open_lock = threading.Lock()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        socket_ = self.socket
        socket_.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        socket_.bind(self.server_address)
        self.server_address = socket_.getsockname()  # the base class looks its name up, which may take seconds
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if self._tls is not None:
            # The handshake is done by the connection's own thread.
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._open_lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
            reset = request in self._reset
            self._reset.discard(request)
        if reset:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def reset(self, request: Any) -> None:
        """Closes a connection with a reset where `shutdown_request` would end it properly."""
        with self._open_lock:
            self._open.discard(request)
            self._reset.add(request)

    def end_connections(self) -> None:
        """Ends what is still open."""
        with self._open_lock:
            left = list(self._open)
        for connection in left:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        LOGGER.debug("connection of %s ended: %s", client_address, sys.exc_info()[1])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _serving(self) -> _Server:
        return cast(_Server, self.server)

    def setup(self) -> None:
        if self._serving.simulator.certificate is not None:
            self.request.settimeout(HANDSHAKE_SECONDS)
            self.request.do_handshake()
            self.request.settimeout(None)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().setup()
        self._number = self._serving.simulator.connected()

    def log_message(self, format: str, *args: Any) -> None:
        LOGGER.debug(format, *args)

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        simulator = self._serving.simulator
        body = self._body()
        if body is None:
            self._send(Answer(413, "the body is too large, or its length is missing"))
            self.close_connection = True
            return
        request = Request(self.command, self.path, Headers(tuple(self.headers.items())), body)
        self._serve(simulator, request)

    def _serve(self, simulator: Simulator, request: Request) -> None:
        began = time.monotonic()

        def note(status: int | None) -> None:
            # Before it is answered: whoever has the answer finds its request in the log.
            simulator.note(Served(request, status, time.monotonic() - began, self._number))

        fault = simulator.faults.take(request)
        if fault is not None:
            if fault.delay and simulator.pause(fault.delay):
                note(None)
                self.close_connection = True
                return
            if fault.how == "expire":
                simulator.sessions.expire()
            elif fault.how is not None and fault.how != "half":
                note(fault.status if fault.how == "answer" else None)
                self._fail(simulator, fault)
                return
        try:
            answer = simulator.answer(request)
        except Exception:
            LOGGER.exception("%s %s can't be answered", request.method, request.target)
            answer = Answer(500, {"error": "the simulator failed; its log says why"})
        note(answer.status)
        self._send(answer, half=fault is not None and fault.how == "half")

    def _fail(self, simulator: Simulator, fault: Fault) -> None:
        match fault.how:
            case "answer":
                self._send(Answer(fault.status, fault.body, fault.headers))
                return
            case "garbage":
                self.wfile.write(b"\x16\x03\x00 no HTTP at all \xff\r\n\r\n")
            case "hang":
                simulator.pause(None)
            case _:
                # With no time to linger, close sends a reset in place of an end.
                self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._serving.reset(self.request)
        self.close_connection = True

    def _body(self) -> bytes | None:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > MOST_BODY:
            return None
        return self.rfile.read(int(length))

    def _chunks(self) -> bytes | None:
        body = bytearray()
        while True:
            try:
                size = int(self.rfile.readline(1024).partition(b";")[0], 16)
            except ValueError:
                return None
            if len(body) + size > MOST_BODY:
                return None
            body += self.rfile.read(size)
            end = self.rfile.readline(1024)
            if size == 0:
                while end.strip():
                    end = self.rfile.readline(1024)
                return bytes(body)

    def _send(self, answer: Answer, *, half: bool = False) -> None:
        body = answer.raw
        self.send_response(answer.status)
        for name, text in answer.pairs:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, text)
        if answer.status >= 200 and answer.status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status not in (204, 304):
            self.wfile.write(body[: len(body) // 2] if half else body)
        if half:
            self.wfile.flush()
            self.close_connection = True
