"""Drivers that keep the contract pass the whole kit, and it says what it could not run."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from delphis.sdk import conformance
from delphis.sdk.conformance import Array, Outcome, Report
from delphis.sdk.conformance import subject as subjects
from delphis.sdk.testing import HostClient
from delphis.type.v1.access_pb2 import AccessInfo
from tests.ceph.dashboard import PASSWORD as DASHBOARD_PASSWORD
from tests.ceph.dashboard import Dashboard
from tests.ceph.metrics_page import MetricsPage
from tests.conformance.array_stub import listening
from tests.conformance.support import BAD, HERE, PASSWORD, REPO, access, array
from tests.sdk_http.server import serving

# What only the network, an array or alerts and metrics of a driver make possible.
NO_NETWORK = {"access.unreachable", "access.silent", "access.foreign"}
NO_ARRAY = {*NO_NETWORK, "access.wrong-credentials", "access.revision", "storage.second"}
ALERTS = {
    *(f"alerts.{name}" for name in ("list", "sane", "window", "sources", "clear-absent", "receivers")),
    *("traps.unknown", "traps.odd", "traps.given", "malformed.traps"),
}
METRICS = {
    f"metrics.{name}"
    for name in (
        *("catalogue", "intervals", "read", "columns", "announced", "times", "values", "latest"),
        *("once", "history", "consistent"),
    )
}
PROCESS = {
    *("output.quiet", "output.text", "output.memory", "secrets.log", "secrets.process"),
    *("process.drain", "process.restart", "process.parent", "process.survives"),
}


def passes(report: Report, not_run: set[str]) -> None:
    assert report.passed, conformance.text(report)
    assert {result.check for result in report.of(Outcome.NOT_RUN)} == not_run | {"errors.retry"}
    assert all(result.reason for result in report.of(Outcome.NOT_RUN))
    assert report.seconds < 60


def test_fake_storage() -> None:
    report = conformance.check(REPO / "drivers" / "fake_storage", array=HERE / "arrays" / "fake_storage.yaml")
    # Nothing may be changed on the array, and no file of traps is given.
    not_asked = {"alerts.clear-absent", "alerts.receivers", "traps.given"}
    passes(report, NO_NETWORK | not_asked | {"access.required"})
    assert (report.name, report.version) == ("dev.delphis.fake-storage", "0.1.0")


def test_sample_vendor() -> None:
    report = conformance.check(REPO / "drivers" / "sample_vendor")
    lacks = {"identity.capabilities", "access.required", "relations.masking-views"}
    passes(report, NO_ARRAY | ALERTS | METRICS | lacks)


def test_ceph_against_its_recording() -> None:
    with serving(Dashboard()) as server, serving(MetricsPage(busy=True)) as page:
        attributes = {"prometheus": str(page.port)}
        at = Array(
            AccessInfo(rest=server.access(password=DASHBOARD_PASSWORD), extra_attributes=attributes),
            wrong=AccessInfo(rest=server.access(password="nonsense")),
            blocks=("rest",),
        )
        report = conformance.check(REPO / "drivers" / "ceph", array=at)
    # It keeps no history of its counters.
    lacks = {"metrics.history", "storage.second", "relations.masking-views"}
    # Ceph sends no traps, and says of no alert when it occurred.
    listed = {"alerts.list", "alerts.sane"}
    passes(report, (ALERTS - listed) | lacks)


def test_a_driver_with_everything() -> None:
    with listening(PASSWORD) as port:
        report = conformance.check(
            f"{BAD / 'untrue.py'}:Untrue", array=array(port=port, connects=True), traps=HERE / "traps.yaml"
        )
    passes(report, set())


def test_a_host_of_another_making() -> None:
    command = shlex.join([sys.executable, str(BAD / "raw_host.py"), "good"])
    at = Array(access(), second=access(host="127.0.0.10"), wrong=access(password="nonsense"), blocks=("rest",))
    at = Array(
        at.access, second=at.second, wrong=at.wrong, slow=access(extra={"seconds": "0.5"}), makes_no_connection=True
    )
    report = conformance.check(command=command, array=at)
    lacks = {"identity.capabilities", "relations.masking-views", "traps.given"}
    passes(report, NO_NETWORK | (ALERTS - {"traps.unknown", "traps.odd", "malformed.traps"}) | METRICS | lacks)


@contextmanager
def served(driver: str) -> Generator[str, None, None]:
    with subjects.find(driver).start(lambda _: None) as host:
        client = HostClient(host.endpoint)
        host.become_ready(client.serves)
        client.close()
        yield host.endpoint


def test_what_an_endpoint_can_not_show_is_not_run() -> None:
    with served(f"{BAD / 'untrue.py'}:Untrue") as endpoint:
        report = conformance.check(endpoint=endpoint, array=array(), traps=HERE / "traps.yaml")
    passes(report, NO_NETWORK | PROCESS)


def test_nobody_at_an_endpoint(tmp_path: Path) -> None:
    begin = time.monotonic()
    report = conformance.check(endpoint=f"unix://{tmp_path}/nobody.sock", only=["service.*", "lists.*"])
    assert report["service.ready"].outcome is Outcome.FAILED
    assert {result.outcome for result in report.results if result.group == "lists"} == {Outcome.NOT_RUN}
    assert not report.passed
    assert time.monotonic() - begin < 50


@pytest.mark.parametrize("arguments", [{}, {"command": "a", "endpoint": "b"}, {"driver": "/no/such/folder"}])
def test_nothing_to_check(arguments: dict[str, str]) -> None:
    with pytest.raises(conformance.UsageError):
        conformance.check(**arguments)  # type: ignore[arg-type]
