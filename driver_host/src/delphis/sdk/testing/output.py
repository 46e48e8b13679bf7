"""What a driver host prints, read as the supervisor reads it: always, so that the host never waits for a reader."""

from __future__ import annotations

import fcntl
import os
import termios
import threading
import time
from array import array
from collections.abc import Callable

MOST_LINES = 5_000
LONGEST_LINE = 64 * 1024
_MOMENT = 0.02

OnLine = Callable[[bytes], None]


class Output:
    """Reads a pipe in a thread until its other end is closed."""

    def __init__(self, descriptor: int, on_line: OnLine) -> None:
        self.lines = 0
        """Lines so far, those that were not kept too."""
        self.bytes = 0
        self._kept: list[bytes] = []
        self._on_line = on_line
        self._descriptor = descriptor
        self._thread = threading.Thread(target=self._read, args=(descriptor,), name="host output", daemon=True)
        self._thread.start()

    def finish(self, timeout: float = 5.0) -> None:
        """Waits for the rest; to be called when the process has ended."""
        self._thread.join(timeout)

    def settle(self, most: float = 2.0) -> None:
        """Waits until what was printed so far has been read: the pipe is empty, and stays so for a moment."""
        end = time.monotonic() + most
        while time.monotonic() < end:
            before = self.bytes
            time.sleep(_MOMENT)
            if self.bytes == before and not self._waiting():
                return

    def _waiting(self) -> int:
        """Bytes in the pipe that nobody has read."""
        count = array("i", [0])
        try:
            fcntl.ioctl(self._descriptor, termios.FIONREAD, count)
        except OSError:  # closed: all has been read
            return 0
        return count[0]

    @property
    def kept(self) -> list[bytes]:
        """The first 5,000 lines and the last ones."""
        return list(self._kept)

    def tail(self, count: int = 20) -> list[str]:
        """The last lines as text."""
        return [line.decode("utf-8", "backslashreplace") for line in self._kept[-count:]]

    def _read(self, descriptor: int) -> None:
        rest = b""
        try:
            while data := os.read(descriptor, 64 * 1024):
                self.bytes += len(data)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._add(line)
                if len(rest) > LONGEST_LINE:
                    self._add(rest)
                    rest = b""
        except OSError:
            pass
        finally:
            if rest:
                self._add(rest)
            os.close(descriptor)

    def _add(self, line: bytes) -> None:
        self.lines += 1
        if len(self._kept) >= MOST_LINES:
            del self._kept[MOST_LINES - 500]
        self._kept.append(line)
        self._on_line(line)
