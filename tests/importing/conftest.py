"""A Delphis to import into, and Delfin databases of each kind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine

from delphis.cli.main import delphis as command_line
from tests.importing.delfin import PASSWORD, SECRET_ATTRIBUTE, Delfin, encoded
from tests.inventory.conftest import delphis, delphis_on_both
from tests.support.stores import database_url, postgres_cluster
from tests.support.up import DELPHIS, Up, up

__all__ = ["database_url", "delphis", "delphis_on_both", "postgres_cluster"]


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ended."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A running Delphis."""
    with up(tmp_path_factory.mktemp("core")) as running:
        running.wait_traps()
        yield running
        for secret in (PASSWORD, encoded(), SECRET_ATTRIBUTE):
            assert secret not in running.log()


@pytest.fixture
def own_core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A running Delphis without storages."""
    with up(tmp_path_factory.mktemp("core")) as running:
        running.wait_traps()
        yield running


@pytest.fixture
def delfin(tmp_path: Path) -> Iterator[Delfin]:
    """A Delfin database in SQLite, as it is shipped."""
    engine = create_engine(f"sqlite:///{tmp_path / 'delfin.sqlite'}")
    yield Delfin(engine)
    engine.dispose()


def import_delfin(
    core: Up, *arguments: str, stdin: str = "", process: bool = False, environment: Mapping[str, str] | None = None
) -> Ended:
    """Runs the command against a core, as a process or, quicker, in this one. It must print nothing secret."""
    line = ["db", "import-delfin", "--server", core.grpc, *arguments]
    if process:
        done = subprocess.run(
            [DELPHIS, *line],
            env={**os.environ, **(environment or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        ended = Ended(done.returncode, done.stdout, done.stderr)
    else:
        result = CliRunner().invoke(command_line, line, input=stdin, env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        ended = Ended(result.exit_code, result.stdout, result.stderr)
    for secret in (PASSWORD, encoded(), SECRET_ATTRIBUTE, "Traceback"):
        assert secret not in ended.out + ended.err, ended
    return ended
