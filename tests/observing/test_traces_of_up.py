"""Traces over all processes of a Delphis, and what it does when nobody takes them any more."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.observing.conftest import all_up
from tests.observing.pages import one
from tests.observing.receiver import Receiver, Seen, receiver
from tests.support.up import Up, up, wait_for

DRIVER = "delphis.driver.v1.StorageDriver/"
PROCESSES = ("core", "alerts", "telemetry")


def chain(traces: Receiver, last: Seen) -> list[tuple[str, str]]:
    """The services of a trace as they called each other, with the names of their spans."""
    found = traces.chain(last)
    assert len({span.trace_id for span in found}) == 1
    return [(span.service.removeprefix("prod-"), span.name) for span in found]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_traces_cross_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as traces:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", traces.endpoint)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "prod")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
        with up(tmp_path, telemetry=True) as running:
            wait_for("all processes", lambda: all_up(running), 60)
            running.wait_synced(running.register(101, perf_interval_s="1")["id"])
            traced(running, traces)
            for process in PROCESSES:
                wait_for("spans", partial(one, running, "delphis_spans_sent_total", process=process), 60)
            assert b"secret-9c1f" not in b"".join(traces.bodies)
            traces.close()
            before = {name: one(running, "delphis_spans_lost_total", process=name) for name in PROCESSES}

            def lost() -> bool:
                assert running.ask("GET", "/v1/storages").status == 200
                assert running.ask("GET", "/v1/alerts").status == 200
                now = {name: one(running, "delphis_spans_lost_total", process=name) for name in PROCESSES}
                return all(now[name] > before[name] for name in ("core", "alerts"))

            wait_for("losses that are counted", lost, 120, 0.2)
            wait_for("word of them", lambda: "spans are lost" in running.log(), 60)
            assert running.stop() == 0


def traced(running: Up, traces: Receiver) -> None:
    """A relayed call, a collection and a poll are each one trace."""
    assert running.ask("GET", "/v1/alerts", headers={"X-Request-Id": "req-alerts"}).status == 200
    relayed = "delphis.alert.v1.AlertService/ListAlerts"
    route = traces.named("GET /v1/alerts", delphis__request_id="req-alerts")

    def answered() -> Seen | None:
        mine = [span for span in list(traces.spans) if span.trace_id == route.trace_id]
        return next((span for span in mine if span.service == "prod-alerts"), None)

    assert chain(traces, wait_for("span of alerts", answered, 60)) == [
        ("core", "GET /v1/alerts"),
        ("core", relayed),
        ("core", relayed),
        ("alerts", relayed),
    ]
    for work, process, name in (
        ("collection", "telemetry", "CollectPerfMetrics"),
        ("poll of alerts", "alerts", "ListAlerts"),
    ):
        python_name = {"CollectPerfMetrics": "collect_perf_metrics", "ListAlerts": "list_alerts"}[name]
        assert chain(traces, traces.named(f"driver {python_name}")) == [
            (process, work),
            (process, DRIVER + name),
            ("core", DRIVER + name),
            ("core", DRIVER + name),
            ("driver-host", DRIVER + name),
            ("driver-host", f"driver {python_name}"),
        ]
