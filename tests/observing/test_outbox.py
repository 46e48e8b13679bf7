"""A receiver of traces that is slow, away or unwilling costs its spans, and nothing else."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

import pytest

from delphis.tracing import spans
from delphis.tracing.exporting import Tracer
from services.calls.method import Call
from services.observing.family import Family
from services.observing.tracing import traced
from tests.calls.test_pipeline import ingress, served
from tests.observing.receiver import receiver
from tests.support.up import wait_for


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Sets where spans go; what a test begins ends with it."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    yield monkeypatch
    spans.stop(0.0)


def begun(endpoint: pytest.MonkeyPatch, address: str, **settings: str) -> Tracer:
    endpoint.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    for name, value in settings.items():
        endpoint.setenv(f"OTEL_{name}", value)
    spans.start("delphis-test", "1")
    assert spans.tracer is not None
    return spans.tracer


async def echo(body: bytes, call: Call) -> bytes:
    return body


def counted() -> dict[str, float]:
    """What the process tells of its spans."""
    told: list[Family] = list(traced())
    return {family.name: family.samples[0].value for family in told}


async def test_nobody_answers(endpoint: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    tracer = begun(endpoint, f"http://127.0.0.1:{port}", EXPORTER_OTLP_TIMEOUT="1")
    for _ in range(5):
        assert (await served(echo).unary("/t.T/M", b"x", ingress())).body == b"x"
    wait_for("losses", lambda: tracer.outbox.lost == 5, 60)
    assert counted() == {"delphis_spans_sent_total": 0, "delphis_spans_lost_total": 5}
    wait_for("word of them", lambda: "spans are lost" in caplog.text, 60)


async def test_a_receiver_that_does_not_answer_delays_no_call_and_no_end(endpoint: pytest.MonkeyPatch) -> None:
    with receiver() as slow:
        slow.free.clear()
        tracer = begun(endpoint, slow.endpoint, BSP_MAX_QUEUE_SIZE="10", BSP_MAX_EXPORT_BATCH_SIZE="5")
        pipeline = served(echo)
        await pipeline.unary("/t.T/M", b"x", ingress())
        wait_for("the first request", lambda: slow.bodies, 60)
        # It holds the request until the end of this test. What finds no room meanwhile is lost, and calls go on.
        for _ in range(30):
            await pipeline.unary("/t.T/M", b"x", ingress())
        assert tracer.outbox.lost == 20
        spans.stop(0.0)
        assert spans.tracer is None
        assert tracer.outbox.lost == 30
        assert (await pipeline.unary("/t.T/M", b"x", ingress())).body == b"x"


async def test_what_is_refused_is_lost_and_what_comes_later_is_sent(endpoint: pytest.MonkeyPatch) -> None:
    with receiver() as opened:
        opened.status = 400
        tracer = begun(endpoint, opened.endpoint)
        await served(echo).unary("/t.T/M", b"x", ingress())
        wait_for("a loss", lambda: tracer.outbox.lost == 1, 60)
        opened.status = 200
        await served(echo).unary("/t.T/M", b"x", ingress())
        assert opened.named("t.T/M").service == "delphis-test"
        wait_for("its count", lambda: tracer.outbox.sent == 1, 60)


async def test_what_waits_is_sent_at_the_end(endpoint: pytest.MonkeyPatch) -> None:
    with receiver() as opened:
        begun(endpoint, opened.endpoint, BSP_SCHEDULE_DELAY="60000")
        await served(echo).unary("/t.T/M", b"x", ingress())
        spans.stop(60.0)
        assert [span.name for span in opened.spans] == ["t.T/M"]


@pytest.mark.parametrize(
    ("environment", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_the_environment_decides(environment: dict[str, str], on: bool) -> None:
    assert spans.wanted(environment) is on
    told = spans.for_hosts({**environment, "OTEL_EXPORTER_OTLP_HEADERS": "key=secret", "OTEL_SERVICE_NAME": "prod"})
    assert told == ({**environment, "OTEL_SERVICE_NAME": "prod-driver-host"} if on else {})


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("EXPORTER_OTLP_PROTOCOL", "grpc", "the protocol is grpc, and only http/protobuf is spoken"),
        ("PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "none", "what OTEL_* says can't be used"),
    ],
)
def test_settings_that_can_not_be_used_are_told_and_keep_nothing_from_working(
    endpoint: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: str, why: str
) -> None:
    endpoint.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    endpoint.setenv(f"OTEL_{name}", value)
    with caplog.at_level(logging.ERROR):
        spans.start("delphis-test", "1")
    assert spans.tracer is None
    assert f"no traces are sent: {why}" in caplog.text
