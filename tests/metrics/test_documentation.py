"""The lines of docs/metrics.md make a driver, and it passes the kit."""

from __future__ import annotations

import re
from pathlib import Path

from delphis.sdk import conformance
from delphis.sdk.conformance import Outcome

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
DRIVER = """
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from delphis.sdk import Capabilities, Context, MetricBatch, ResourceMetrics, Storage, StorageDriver, Volume


class Documented(StorageDriver):
    sampled_at = datetime.now(UTC)

    def get_storage(self, context: Context) -> Storage:
        return Storage(serial_number="1", name="documented", vendor="v", model="m")

    def list_volumes(self, context: Context) -> Iterator[Volume]:
        for name in ("v1", "v2"):
            yield Volume(native_volume_id=name, name=name)
"""


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_driver_of_the_page(tmp_path: Path) -> None:
    methods = [block for block in blocks() if block.startswith("def ")]
    assert len(methods) == 2
    indented = ["\n" + "".join(f"    {line}" for line in method.splitlines(True)) for method in methods]
    (tmp_path / "documented.py").write_text(DRIVER + "".join(indented))
    report = conformance.check(tmp_path / "documented.py", only=["metrics.*"])
    assert report.passed, conformance.text(report)
    assert {result.check for result in report.of(Outcome.NOT_RUN)} == {"metrics.history", "metrics.latest"}


def test_the_reader_of_the_page() -> None:
    (reader,) = (block for block in blocks() if block.startswith("from "))
    names: dict[str, object] = {}
    for line in reader.splitlines():
        code, _, shown = line.partition("#")
        if shown:
            assert repr(eval(code, names)) == shown.strip()
        else:
            exec(code, names)
