"""The process that such drivers expect: a folder to write to, UTC, and no settings of somebody's shell."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What drivers write below their working folder, and never make the folders for.
_FOLDERS = (
    "delfin/drivers/utils/performance_file/svc",
    "delfin/drivers/utils/performance_file/vnx_block",
    "delfin/drivers/utils/performance_file/macro_san",
    "delfin/drivers/macro_san/ms/file",
)
_PREFIX = "delphis-delfin-work-"
# Seconds within which a folder may still lack the lock of its owner.
_YOUNG = 60.0
# They would switch a driver's own TLS settings off, or send its requests elsewhere.
_FOREIGN = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NETRC")


def clean() -> None:
    """Takes variables away that libraries of drivers obey, and sets those that they need. For the whole process."""
    for name in _FOREIGN:
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)
    # Drivers turn times of arrays into local ones and back.
    os.environ["TZ"] = "UTC"
    time.tzset()
    os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")


@contextmanager
def working_folder() -> Iterator[Path]:
    """A folder of the process's own as its working folder, until the block ends."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    # Held as long as the process lives: whoever can take it finds a folder that nobody needs.
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    before = Path.cwd()
    # The new working folder has a `delfin`, which must not be taken for the package.
    sys.path[:] = [place or str(before) for place in sys.path]
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True)
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _sweep() -> None:
    """Removes what hosts left behind that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # another user's, or no folder
        try:
            found = os.fstat(lock)
            if found.st_uid == os.getuid() and found.st_mtime < time.time() - _YOUNG:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            pass  # somebody works in it
        finally:
            os.close(lock)
