"""A dialogue with an array's interactive shell."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from delphis.sdk import errors
from delphis.sdk.context import Context
from delphis.sdk.recording.hook import SshShell, recorder
from delphis.sdk.text.terminal import rendered

if TYPE_CHECKING:
    import paramiko

CHUNK = 64 * 1024
QUIET = 0.4
TAIL = 2048
WIDTH, HEIGHT = 500, 1000
_PAGERS = re.compile(
    r"(?i)-{1,}\s*\(?more\)?[^\n]{0,40}-{1,}\s*$|^\s*<?-*\s*more\s*-*>?\s*$|press\s+(?:any\s+key|space|<space>)[^\n]{0,60}$"
)
_PROMPT_END = re.compile(r"\S.{0,200}?[>#$%:]$|^[>#$%:]$")
Pattern = str | re.Pattern[str]


class Shell:
    """A shell that waits at its prompt. Made by `SshSession.shell`; for one thread."""

    def __init__(
        self,
        context: Context,
        channel: paramiko.Channel,
        label: str,
        answers: Mapping[Pattern, str],
        *,
        timeout: float,
        most_bytes: int,
    ) -> None:
        self._context = context
        self._channel = channel
        self._label = label
        self._answers = [(re.compile(asked), answer) for asked, answer in answers.items()]
        self._timeout = timeout
        self._most_bytes = most_bytes
        self._prompt = _PROMPT_END
        #: What the array wrote before its first prompt.
        self.greeting = ""

    @classmethod
    def opened(
        cls,
        context: Context,
        channel: paramiko.Channel,
        label: str,
        prompt: Pattern | None,
        answers: Mapping[Pattern, str],
        *,
        timeout: float,
        most_bytes: int,
    ) -> Shell:
        """Starts a shell on a channel and waits for its prompt. See `SshSession.shell`."""
        shell = cls(context, channel, label, answers, timeout=timeout, most_bytes=most_bytes)
        shell._start(prompt)
        return shell

    def run(self, line: str, *, secret: bool = False, timeout: float | None = None) -> str:
        """Sends a line and waits for the prompt.

        Args:
            line: Without a line end.
            secret: It holds a secret; then the shell's echo of it is looked for, but never recorded or shown.
            timeout: Seconds for it. None: those of the shell.

        Returns:
            What the array wrote: lines that end in LF, without the echo of the line, prompts, pages and colours.

        Raises:
            errors.ArrayTimeout: No prompt came in time.
            errors.ArrayUnreachable: The connection broke, or the array closed the shell.
            errors.BadResponse: It writes more than the session's `most_bytes`.
            ValueError: `line` has several lines.
        """
        if "\n" in line or "\r" in line:
            raise ValueError("a line is sent, not several")
        self._send(line + "\n")
        received = self._read(self._prompt, timeout or self._timeout, quiet=None)
        self._record("" if secret else line, received)
        return self._without_echo(rendered(received), line)

    # ---- Sending and reading ----

    def _start(self, prompt: Pattern | None) -> None:
        try:
            self._channel.get_pty(term="dumb", width=WIDTH, height=HEIGHT)
            self._channel.invoke_shell()
        except Exception:  # noqa: BLE001 - whatever the library says, there is no shell
            raise self._closed("opens no shell") from None
        wanted = re.compile(prompt) if prompt is not None else _PROMPT_END
        received = self._read(wanted, self._timeout, quiet=None if prompt is not None else QUIET)
        self._record("", received)
        shown = rendered(received)
        before, _, last = shown.rpartition("\n")
        self.greeting = before
        self._prompt = wanted if prompt is not None else re.compile(rf"^{re.escape(last)}$")

    def _send(self, text: str) -> None:
        self._channel.settimeout(max(0.001, min(self._timeout, self._context.remaining)))
        try:
            self._channel.sendall(text.encode())
        except TimeoutError:
            raise self._late() from None
        except OSError:
            raise self._closed("closed the shell") from None

    def _read(self, wanted: re.Pattern[str], timeout: float, *, quiet: float | None) -> str:
        """Reads until the last line matches, and for `quiet` seconds nothing follows it. Turns pages, answers."""
        until = time.monotonic() + min(timeout, self._context.remaining)
        raw = bytearray()
        total = 0
        while True:
            wait = until - time.monotonic()
            last = rendered(bytes(raw[-TAIL:]).decode("utf-8", "replace")).rpartition("\n")[2]
            at_prompt = bool(last) and wanted.search(last) is not None and not _PAGERS.search(last)
            if at_prompt and quiet is None and not self._channel.recv_ready():
                return raw.decode("utf-8", "replace")
            if wait <= 0 or self._context.cancelled:
                raise self._late()
            if not at_prompt and self._turn_or_answer(raw, last):
                continue
            self._channel.settimeout(min(wait, quiet or wait if at_prompt else wait, 1.0))
            try:
                data = self._channel.recv(CHUNK)
            except TimeoutError:
                if at_prompt:
                    return raw.decode("utf-8", "replace")
                continue
            except OSError:
                raise self._closed("closed the shell") from None
            if not data:
                raise self._closed("closed the shell")
            raw += data
            total += len(data)
            if total > self._most_bytes:
                raise errors.BadResponse(
                    f"The shell at {self._label} writes more than {self._most_bytes} bytes; the driver reads no more.",
                    limit=self._most_bytes,
                )

    def _turn_or_answer(self, raw: bytearray, last: str) -> bool:
        if not last or self._channel.recv_ready():
            return False
        if _PAGERS.search(last):
            del raw[max(raw.rfind(b"\n"), -1) + 1 :]
            self._send(" ")
            return True
        for asked, answer in self._answers:
            if asked.search(last):
                raw += b"\n"
                self._send(answer + "\n")
                return True
        return False

    def _without_echo(self, shown: str, line: str) -> str:
        lines = shown.split("\n")
        if lines and lines[0].strip() == rendered(line).strip():
            del lines[0]
        if lines and self._prompt.search(lines[-1]):
            del lines[-1]
        return "\n".join(lines) + ("\n" if lines else "")

    def _record(self, sent: str, received: str) -> None:
        if (tape := recorder()) is not None:
            tape.record(SshShell(sent, received.encode()))

    def _late(self) -> errors.ArrayTimeout:
        return errors.ArrayTimeout(f"The shell at {self._label} showed no prompt in the time for it.")

    def _closed(self, what: str) -> errors.DriverError:
        if self._context.cancelled:
            return self._late()
        return errors.ArrayUnreachable(f"The array at {self._label} {what}.")
