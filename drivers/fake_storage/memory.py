"""What an array keeps beyond a session: the alerts that were cleared, the receivers of its traps."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path

_MOST = 10_000
_lock = threading.Lock()


class Memory:
    """Short lists of texts in a file of our own, as the disks of a real array would keep them."""

    def __init__(self, *key: str) -> None:
        digest = hashlib.sha256("\n".join(("memory", *key)).encode()).hexdigest()
        self._folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"delphis-fake-storage-{os.getuid()}"
        self._path = self._folder / f"{digest[:32]}.json"

    def read(self, name: str) -> list[str]:
        """The list's texts."""
        return self._lists().get(name, [])

    def add(self, name: str, text: str) -> None:
        """Adds a text, once."""
        with _lock:
            lists = self._lists()
            kept = [one for one in lists.get(name, []) if one != text]
            self._write({**lists, name: [*kept, text][-_MOST:]})

    def remove(self, name: str, text: str) -> None:
        """Takes a text out."""
        with _lock:
            lists = self._lists()
            self._write({**lists, name: [one for one in lists.get(name, []) if one != text]})

    def _lists(self) -> dict[str, list[str]]:
        try:
            found: dict[str, list[str]] = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        return found

    def _write(self, lists: dict[str, list[str]]) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if self._folder.stat(follow_symlinks=False).st_uid != os.getuid():
            raise PermissionError(f"{self._folder} belongs to somebody else; remove it or set TMPDIR")
        replacement = self._path.with_suffix(f".{os.getpid()}")
        replacement.write_text(json.dumps(lists), "utf-8")
        replacement.replace(self._path)
