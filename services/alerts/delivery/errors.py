"""What goes wrong between us and a receiver."""

from __future__ import annotations

SHOWN = 300


class DeliveryFault(Exception):
    """A receiver did not take what it was sent. The message says why in a sentence, bounded and without secrets."""

    def __init__(self, message: str, *, accepted: int = 0) -> None:
        super().__init__(bounded(message))
        self.accepted = accepted
        """How many of the first messages were taken all the same."""

    @property
    def message(self) -> str:
        """The sentence."""
        return str(self)


class Unavailable(DeliveryFault):
    """It may take it later."""

    def __init__(self, message: str, *, retry_after: float = 0.0, accepted: int = 0) -> None:
        super().__init__(message, accepted=accepted)
        self.retry_after = retry_after
        """Seconds that the receiver asks us to wait; 0: it doesn't say."""


class Refused(DeliveryFault):
    """It won't ever take what is in a message, or one of several: what is sent is wrong, not how or where."""


class LaneGone(Exception):
    """The receiver was removed, or has fewer addresses, while it was told."""


def bounded(message: str, limit: int = SHOWN) -> str:
    """One line of printable text, not too long."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in message).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
