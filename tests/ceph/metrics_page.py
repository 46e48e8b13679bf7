"""The page of the manager's module prometheus: recorded from Ceph 16.2, counting on as a test says."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.sdk_http.server import Asked, Says

RECORDING = Path(__file__).parent / "recordings" / "pacific-metrics.txt"
_SAMPLE = re.compile(r"^([a-z_]+)(\{.*\})? (\S+)$")
_COLLECTIONS = "ceph_prometheus_collect_duration_seconds_count"


class MetricsPage:
    """What it shows. `added` is counted beside the recording, by the beginning of lines: `ceph_pool_rd{pool_id="1"}`.

    Attributes:
        collections: How often the manager counted since the recording.
        says: What it answers instead.
        busy: Each question is answered by new counts, of some work.
    """

    def __init__(self, *, busy: bool = False) -> None:
        self.added: Counter[str] = Counter()
        self.collections = 0
        self.says: Says | None = None
        self.busy = busy
        self._lines = RECORDING.read_text().splitlines()

    def __call__(self, asked: Asked) -> Says:
        assert (asked.method, asked.path) == ("GET", "/metrics")
        if self.busy:
            self.collections += 1
            for operation, size in (("read", 4096), ("write", 8192)):
                image = '{pool="rbd",namespace="",image="vol1"}'
                self.added[f"ceph_rbd_{operation}_ops{image}"] += 30
                self.added[f"ceph_rbd_{operation}_bytes{image}"] += 30 * size
        return self.says or Says(self.text().encode(), headers={"Content-Type": "text/plain"})

    def text(self) -> str:
        return "\n".join(map(self._line, self._lines)) + "\n"

    def _line(self, line: str) -> str:
        found = _SAMPLE.match(line)
        if found is None:
            return line
        name = found[1] + (found[2] or "")
        more = self.collections if found[1] == _COLLECTIONS else self.added[name]
        return f"{name} {float(found[3]) + more}"

    def image(self, counter: str, image: str = "vol1", namespace: str = "") -> str:
        """The beginning of an image's line."""
        return f'ceph_rbd_{counter}{{pool="rbd",namespace="{namespace}",image="{image}"}}'

    def forget(self, image: str) -> None:
        """The image is gone, or not yet shown."""
        self._lines = [line for line in self._lines if f'image="{image}"' not in line]
