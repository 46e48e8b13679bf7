"""What can go wrong before a simulator serves."""

from __future__ import annotations


class SimulationError(Exception):
    """The simulator can't be started; the message says why and what to do."""
