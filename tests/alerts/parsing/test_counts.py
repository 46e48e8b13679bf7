"""What the receiver counts and holds back, as callers and the guide see it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from services.alerts.counts import Counts
from services.alerts.matching import table
from services.alerts.parsing.handlers import TrapReceiver
from services.alerts.receiving import Counters
from services.alerts.receiving.receiver import TOO_MANY_QUESTIONS
from services.snmp import Reason

GUIDE = Path(__file__).parents[3] / "docs" / "alerts.md"
NAMES = ("matched", "unmatched", "ambiguous", "refused", "parsed", "reported", "unparsed", "dropped_waiting")


class Quiet:
    """A spool, an intake and queues with nothing in them."""

    held_bytes = most_bytes = taken = waiting = 0
    problem = trouble = ""

    def oldest_at_ns(self) -> None:
        return None


def receiver(counters: Counters, counts: Counts) -> TrapReceiver:
    quiet = cast("Any", Quiet())
    return TrapReceiver(
        listening=["127.0.0.1:162"],
        problem=str,
        spool=quiet,
        counters=counters,
        counts=counts,
        intake=quiet,
        queues=quiet,
        engine_id=b"\1",
    )


def test_the_guide_has_every_count() -> None:
    refusals = {*Reason, TOO_MANY_QUESTIONS}
    judged = {table.WRONG_COMMUNITY, table.WRONG_VERSION, table.FOREIGN_USER, table.FOREIGN_ENGINE}
    written = set(re.findall(r"`(\w+)`", GUIDE.read_text()))
    assert refusals | judged <= written
    assert {*NAMES, *receiver(Counters(), Counts()).counts()} <= written


def test_who_is_held_back_is_shown() -> None:
    counters = Counters(held_back={"192.0.2.9": 0.25, "192.0.2.1": 1 / 1024})
    shown = receiver(counters, Counts({"matched": 3})).shown()
    assert [(one.source_address, one.share) for one in shown.held_back] == [
        ("192.0.2.1", 1 / 1024),
        ("192.0.2.9", 0.25),
    ]
    assert {one.name: one.count for one in shown.counts}["matched"] == 3
