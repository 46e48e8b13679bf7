"""Write the tables of docs/metrics.md from the catalogue of metrics, or say that they are out of date.

python protos/generate_metrics.py            write the tables anew
python protos/generate_metrics.py --check    write nothing; end with 1 if they differ
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from delphis.sdk import metrics
from delphis.sdk.metrics import Metric
from delphis.type.v1.metric_catalogue_pb2 import Aggregation

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"
BEGIN, END = "<!-- catalogue: written by protos/generate_metrics.py -->", "<!-- end of catalogue -->"
_AGGREGATION = {
    Aggregation.AGGREGATION_SUM: "sum",
    Aggregation.AGGREGATION_MEAN: "mean",
    Aggregation.AGGREGATION_WEIGHTED_MEAN: "mean, weighted by `{}`",
    Aggregation.AGGREGATION_MAX: "largest",
    Aggregation.AGGREGATION_LAST: "newest",
}


def tables() -> str:
    """What stands between the two comments."""
    known = metrics.catalogue().values()
    kinds = list(dict.fromkeys(kind for metric in known for kind in metric.kinds))
    head = ["metric", "unit", "is", *(kind.replace("_", " ") for kind in kinds)]
    rows = [
        [f"`{metric.name}`", f"`{metric.unit}`", metric.description, *(_mark(metric, kind) for kind in kinds)]
        for metric in known
    ]
    more = [
        [f"`{metric.name}`", *_aggregations(metric), f"{metric.largest:g}", _delfins(metric), f"`{_example(metric)}`"]
        for metric in known
    ]
    second = ["metric", "over resources", "over time", "largest", "SODA Delfin", "exposed as, for example"]
    return "\n\n".join(["\n".join(_table(head, rows)), "\n".join(_table(second, more))])


def _mark(metric: Metric, kind: str) -> str:
    if kind not in metric.kinds:
        return ""
    return "●" if kind in metric.delfin_kinds else "○"


def _aggregations(metric: Metric) -> Iterator[str]:
    for aggregation in (metric.over_resources, metric.over_time):
        yield _AGGREGATION[aggregation].format(metric.weight)


def _delfins(metric: Metric) -> str:
    return f"{metric.delfin_unit} = {metric.delfin_factor:g} {metric.unit}" if metric.delfin_kinds else ""


def _example(metric: Metric) -> str:
    kind = "volume" if "volume" in metric.kinds else metric.kinds[0]
    return metric.exposed(kind)


def _table(head: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield f"| {' | '.join(row)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, report whether the page is out of date")
    checking = parser.parse_args().check
    text = PAGE.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        print(f"docs/metrics.md lacks {BEGIN!r} or {END!r}")
        return 1
    wanted = f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"
    if checking and wanted != text:
        print("docs/metrics.md is not what the catalogue says: run `python protos/generate_metrics.py`")
        return 1
    if wanted != text:
        PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
