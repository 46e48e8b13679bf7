"""What the tests of the REST session share."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from delphis.sdk import Context, RestAccess
from delphis.sdk.http import RestSession, Retry
from tests.sdk_http.certificates import Certificate, authority, server_certificate
from tests.sdk_http.server import Handler, ScriptedServer, serving


@pytest.fixture
def context() -> Context:
    return Context("s-1", timeout=60)


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """An authority."""
    return authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory, trusted: Certificate) -> Certificate:
    """A server's certificate for 127.0.0.1, signed by `trusted`."""
    return server_certificate(tmp_path_factory.mktemp("server"), signer=trusted)


@pytest.fixture
def serve() -> Generator[Callable[..., ScriptedServer], None, None]:
    """Starts servers; all are stopped after the test."""
    stack: list[Any] = []

    def start(handler: Handler, certificate: Certificate | None = None) -> ScriptedServer:
        manager = serving(handler, certificate)
        stack.append(manager)
        return manager.__enter__()

    yield start
    for manager in stack:
        manager.__exit__(None, None, None)


class QuickSession(RestSession):
    """Repeats without long waits."""

    retry = Retry(first_delay=0.02, longest_delay=2.0)


@pytest.fixture
def session() -> Generator[Callable[[RestAccess], RestSession], None, None]:
    """Makes sessions without a login; all are closed after the test."""
    made: list[RestSession] = []

    def make(access: RestAccess, kind: type[RestSession] = QuickSession) -> RestSession:
        made.append(kind(access))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
