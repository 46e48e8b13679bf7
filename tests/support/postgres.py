"""A PostgreSQL server for tests: thrown away, without TCP, run by an unprivileged user."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from services.inventory.schema import SCHEMA
from services.store.backend import backend_for
from services.store.migrate import bring_to_head
from services.store.schema import Schema

BINARIES = Path("/usr/lib/postgresql/15/bin")
_ROLE = "delphis"
_START_SECONDS = 30.0
_PR_SET_PDEATHSIG = 1


class Cluster:
    """A running server. `url(name)` is a database of it."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._count = 0
        self._shared: dict[str, str] = {}

    def url(self, database: str) -> str:
        """The URL of a database."""
        return f"postgresql://{_ROLE}@/{database}?host={self._socket}"

    def shared_database(self, schema: Schema = SCHEMA) -> str:
        """The URL of a database at the present schema, without rows. Tests use it one after the other."""
        url = self._shared.get(schema.name)
        if url is None:
            url = self._shared[schema.name] = self.new_database()
            bring_to_head(backend_for(url, schema), url, schema)
        with psycopg.connect(url, autocommit=True) as connection:
            # Deleting is faster than truncating, which makes new files for each table and index.
            for table in schema.metadata.sorted_tables:
                place = (schema.namespace or "public", table.name)
                connection.execute(SQL("DELETE FROM {}").format(Identifier(*place)))
        return url

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        self._count += 1
        name = f"test_{os.getpid()}_{self._count}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        return self.url(name)


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Starts a server, and ends it with all its data."""
    owner = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="delphis-pg-"))
    process: subprocess.Popen[bytes] | None = None
    try:
        if owner is not None:
            account = pwd.getpwnam(owner)
            os.chown(folder, account.pw_uid, account.pw_gid)
        data = folder / "data"
        subprocess.run(
            [BINARIES / "initdb", "-D", data, "-U", _ROLE, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"],
            check=True,
            user=owner,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [BINARIES / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"],
                user=owner,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,
            )
        running = Cluster(str(folder))
        _wait(running, process, folder / "log")
        yield running
    finally:
        if process is not None:
            process.send_signal(signal.SIGQUIT)  # no checkpoint: the data are of no more use
            process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _wait(running: Cluster, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(running.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"PostgreSQL did not start: {log.read_text()}") from None
            time.sleep(0.05)
        else:
            return
