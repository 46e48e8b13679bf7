"""What goes wrong within the delivery; what goes wrong with receivers is in `services.outbound.errors`."""

from __future__ import annotations


class LaneGone(Exception):
    """The receiver was removed, or has fewer addresses, while it was told."""
