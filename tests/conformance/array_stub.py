"""An array of one line: what `Untrue` logs in to where its access info says `connect`."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Generator


@contextlib.contextmanager
def listening(password: str) -> Generator[int, None, None]:
    """Its port. It says WELCOME to who says HELLO and the password."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, contextlib.suppress(OSError):
                        said = connection.recv(1000)
                        connection.sendall(b"WELCOME\n" if said == f"HELLO {password}\n".encode() else b"REFUSED\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(60)
