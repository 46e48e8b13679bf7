"""Driver hosts that end with the test."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.hosts import DRIVERS, Host

StartHost = Callable[..., Host]


@pytest.fixture
def start_host() -> Iterator[StartHost]:
    """Starts hosts: `start_host("Plain")` one of tests/sdk/drivers.py, or any `module:Class`."""
    with ExitStack() as stack:

        def start(driver_class: str, **options: Any) -> Host:
            # Not tmp_path: a socket's path must be short.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="host-")))
            found = driver_class if ":" in driver_class else f"{DRIVERS}:{driver_class}"
            host = Host(found, folder, **options)
            stack.callback(host.close)
            return host

        yield start
