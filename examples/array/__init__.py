"""The Pebble: a small array that exists in a process of Python's, for the drivers beside it."""

from examples.array.contents import Contents
from examples.array.faults import Faults
from examples.array.server import ArrayServer, serving

__all__ = ["ArrayServer", "Contents", "Faults", "serving"]
