"""Driver hosts that end with the test."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.hosts import DRIVERS, Host

StartHost = Callable[..., Host]
SharedHost = Callable[[str], Host]


def starter(stack: ExitStack) -> StartHost:
    """Starts hosts that end with the stack."""

    def start(driver_class: str, **options: Any) -> Host:
        # Not tmp_path: a socket's path must be short.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="host-")))
        found = driver_class if ":" in driver_class else f"{DRIVERS}:{driver_class}"
        host = Host(found, folder, **options)
        stack.callback(host.close)
        return host

    return start


@pytest.fixture
def start_host() -> Iterator[StartHost]:
    """Starts a host of its own for the test: `start_host("Plain")`, or any `module:Class`."""
    with ExitStack() as stack:
        yield starter(stack)


@pytest.fixture(scope="session")
def shared_host() -> Iterator[SharedHost]:
    """One host for all tests that ask for the same driver; each uses arrays of its own."""
    with ExitStack() as stack:
        yield cache(starter(stack))
