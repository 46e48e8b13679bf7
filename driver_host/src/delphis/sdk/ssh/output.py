"""What a command wrote."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """A command that has ended.

    Attributes:
        command: As it was sent.
        stdout: What it wrote.
        stderr: What it wrote beside that.
        exit_status: 0 to 255; None where the array gave none, as some do.
    """

    command: str
    stdout: bytes
    stderr: bytes
    exit_status: int | None

    @property
    def ok(self) -> bool:
        """The exit status is 0, or there was none."""
        return not self.exit_status

    @property
    def text(self) -> str:
        """What it wrote, as text, with lines that end in LF; bytes that are no UTF-8 are replaced."""
        return _text(self.stdout)

    @property
    def errors(self) -> str:
        """What it wrote beside that, likewise."""
        return _text(self.stderr)


def _text(written: bytes) -> str:
    return written.decode("utf-8", "replace").replace("\r\n", "\n")
