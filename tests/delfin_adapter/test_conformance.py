"""Drivers that were written for Delfin, by people who keep its interface, pass the conformance kit as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from delphis.sdk import conformance
from delphis.sdk.conformance import Array, Outcome, Report
from delphis.type.v1.access_pb2 import AccessInfo
from tests.delfin_adapter.box import access, box
from tests.delfin_adapter.support import command, made_up

pytestmark = pytest.mark.timeout(300)

NETWORK = {"access.unreachable", "access.silent", "access.foreign"}
NO_LOGIN = {"access.wrong-credentials", "access.revision"}
ALERTS = {
    *(f"alerts.{name}" for name in ("list", "sane", "window", "sources", "clear-absent", "receivers")),
    *("traps.unknown", "traps.odd", "traps.given", "malformed.traps"),
}
METRICS = {
    *(f"metrics.{name}" for name in ("catalogue", "intervals", "read", "columns", "announced", "times", "values")),
    *(f"metrics.{name}" for name in ("latest", "once", "history", "consistent")),
}
ANY = {"access.required", "errors.retry"}


def passes(report: Report, not_run: set[str]) -> None:
    assert report.passed, conformance.text(report)
    assert {result.check for result in report.of(Outcome.NOT_RUN)} == not_run | ANY, conformance.text(report)


def test_an_array_with_an_https_api(tmp_path: Path) -> None:
    with box(tmp_path) as (array, server, signer):
        at = Array(
            AccessInfo(rest=access(server, signer)),
            wrong=AccessInfo(rest=access(server, signer, password="nonsense")),
            may_be_changed=True,
            blocks=("rest",),
        )
        report = conformance.check(command=command("rest_box:RestBoxDriver"), array=at)
        # Each session that was begun was ended, but for those of hosts that were killed.
        assert len(array.tokens) <= 3
        assert array.logins > 5
    passes(report, ALERTS | METRICS | {"identity.capabilities", "relations.masking-views", "storage.second"})


def test_a_driver_with_every_method() -> None:
    at = Array(
        made_up(),
        second=made_up("127.0.0.10"),
        makes_no_connection=True,
        accepts_any_credentials=True,
        may_be_changed=True,
        blocks=("rest",),
    )
    report = conformance.check(
        command=command("complete:CompleteDriver"), array=at, traps=Path(__file__).with_name("traps.yaml")
    )
    passes(report, NETWORK | NO_LOGIN)
