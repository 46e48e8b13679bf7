"""What goes wrong between us and whom we send something to."""

from __future__ import annotations

SHOWN = 300


class DeliveryFault(Exception):
    """It was not taken. The message says why in a sentence, bounded and without secrets."""

    def __init__(self, message: str, *, accepted: int = 0) -> None:
        super().__init__(bounded(message))
        self.accepted = accepted
        """How many of the first messages were taken all the same."""

    @property
    def message(self) -> str:
        """The sentence."""
        return str(self)


class Unavailable(DeliveryFault):
    """It may be taken later."""

    def __init__(self, message: str, *, retry_after: float = 0.0, accepted: int = 0) -> None:
        super().__init__(message, accepted=accepted)
        self.retry_after = retry_after
        """Seconds that we are asked to wait; 0: nobody says."""


class Refused(DeliveryFault):
    """It won't ever be taken: what is sent is wrong, not how or where."""


def bounded(message: str, limit: int = SHOWN) -> str:
    """One line of printable text, not too long."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in message).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
