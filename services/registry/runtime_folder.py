"""The folder of the hosts' sockets."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from pathlib import Path

# sockaddr_un has 108 bytes, one of them the final zero.
_MAX_PATH = 107
_LONGEST_NAME = len("/host-4294967295.sock")


class RuntimeFolder:
    """A folder that nobody but this user enters. A path too long for sockets is replaced by a temporary folder."""

    def __init__(self, wanted: Path) -> None:
        self._temporary = len(str(wanted.absolute()).encode()) + _LONGEST_NAME > _MAX_PATH
        if self._temporary:
            self.path = Path(tempfile.mkdtemp(prefix="delphis-"))
        else:
            self.path = wanted.absolute()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            # What a core that was killed left behind; the hosts died with it.
            for stale in self.path.glob("host-*.sock"):
                stale.unlink(missing_ok=True)
        self._numbers = itertools.count(1)

    def new_socket(self) -> Path:
        """A path that no host had before: nobody is mistaken for a dead host."""
        return self.path / f"host-{next(self._numbers)}.sock"

    def close(self) -> None:
        """Removes what is ours."""
        if self._temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            for stale in self.path.glob("host-*.sock"):
                with contextlib.suppress(OSError):
                    stale.unlink()
