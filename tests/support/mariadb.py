"""A MariaDB server for tests: thrown away, without TCP, run by an unprivileged user."""

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
from urllib.parse import quote

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

SERVER = Path("/usr/sbin/mariadbd")
_INSTALL = Path("/usr/bin/mariadb-install-db")
_START_SECONDS = 40.0
_PR_SET_PDEATHSIG = 1


class Server:
    """A running server with one database for each caller."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._count = 0

    def new_database(self, *, reader: str, password: str) -> tuple[str, str]:
        """A new, empty database: the URL of its owner, and that of a user who logs in with a password."""
        self._count += 1
        name = f"delfin_{self._count}"
        # A % of the password is one to PyMySQL, and none of its format.
        literal = "'" + password.replace("\\", "\\\\").replace("'", "''").replace("%", "%%") + "'"
        self._run(
            f"CREATE DATABASE {name} CHARACTER SET utf8mb4",
            f"CREATE USER IF NOT EXISTS {reader}@localhost IDENTIFIED BY {literal}",
            f"GRANT ALL ON {name}.* TO {reader}@localhost",
        )
        return self.url(name), self.url(name, f"{reader}:{quote(password, safe='')}@")

    def _run(self, *statements: str) -> None:
        engine = create_engine(self.url(""), poolclass=NullPool)
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def url(self, database: str, login: str = "root@") -> str:
        """The URL of a database, as Delfin's configuration spells it."""
        return f"mysql+pymysql://{login}localhost/{database}?charset=utf8mb4&unix_socket={self.socket}"


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """Starts a server, and ends it with all its data."""
    owner = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="delphis-my-"))
    process: subprocess.Popen[bytes] | None = None
    try:
        if owner is not None:
            account = pwd.getpwnam(owner)
            os.chown(folder, account.pw_uid, account.pw_gid)
        data, socket = folder / "data", folder / "socket"
        subprocess.run(
            [_INSTALL, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
             "--skip-test-db", "--skip-log-bin", "--innodb-log-file-size=4M"],
            check=True, user=owner, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [SERVER, "--no-defaults", f"--datadir={data}", f"--socket={socket}", "--skip-networking",
                 "--innodb-flush-log-at-trx-commit=0", "--innodb-log-file-size=4M", "--skip-log-bin"],
                user=owner, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=_die_with_parent,
            )  # fmt: skip
        running = Server(socket)
        _wait(running, process, folder / "log")
        yield running
    finally:
        if process is not None:
            process.kill()  # the data are of no more use
            process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(running: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while not running.socket.exists():  # it is made when the server takes connections
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"MariaDB did not start: {log.read_text()}")
        time.sleep(0.02)
