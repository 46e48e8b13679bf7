"""Lines of the log: what they are about, for people and for programs, and what driver hosts print."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import pytest

from delphis.tracing import scope
from delphis.tracing.scope import Scope, trace_of
from services.app.logs import JsonFormatter, TextFormatter
from services.registry.host_lines import JSON_LINE_BYTES, HostLine, read

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
ABOUT = Scope("req-1", "s-1", "dev.acme.box", trace_of(PARENT))


def record(**extra: str) -> logging.LogRecord:
    return logging.getLogger("x.y").makeRecord("x.y", logging.WARNING, "f", 1, "it %s", ("is",), None, extra=extra)


def test_the_work_at_hand_stands_in_each_line() -> None:
    assert TextFormatter().format(record()).endswith("WARNING x.y: it is")
    assert set(json.loads(JsonFormatter().format(record()))) == {"at", "level", "logger", "message"}
    token = scope.enter(ABOUT)
    try:
        line = TextFormatter().format(record())
        said = json.loads(JsonFormatter("core").format(record(driver="dev.other", exception="Traceback\n  x")))
    finally:
        scope.leave(token)
    about = f"[request_id=req-1 storage_id=s-1 driver=dev.acme.box trace_id={TRACE}]"
    assert line.endswith(f"WARNING x.y: it is {about}")
    del said["at"]
    assert said == {
        "level": "warning",
        "process": "core",
        "logger": "x.y",
        "message": "it is",
        "request_id": "req-1",
        "storage_id": "s-1",
        "driver": "dev.other",  # what the record says itself counts
        "trace_id": TRACE,
        "exception": "Traceback\n  x",
    }


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        (b"plain \x1b[31mtext", HostLine("plain \\x1b[31mtext")),
        (b"{not json}", HostLine("{not json}")),
        (b'{"a": 1}', HostLine('{"a": 1}')),
        (b'{"message": 7}', HostLine('{"message": 7}')),
        (b'["message"]', HostLine('["message"]')),
        (
            b'{"message": "a\\nb", "level": "ERROR", "logger": "l", "storage_id": "s", "driver": "forged", "more": {}}',
            HostLine("a\\nb", logging.ERROR, {"storage_id": "s"}, "l"),
        ),
        (
            b'{"msg": 1, "message": "m", "level": "loud", "trace_id": 5, "exception": "A\\n\\u001bB"}',
            HostLine("m", logging.INFO, {}, "?", "A\n\\x1bB"),
        ),
    ],
)
def test_what_a_host_prints_is_text_or_fields(printed: bytes, line: HostLine) -> None:
    assert read(printed) == line


def test_a_long_line_is_cut() -> None:
    assert len(read(b"x" * 5000).message) == 2000
    traceback = "\n".join(f"line {number}" for number in range(1000))
    said = json.dumps({"message": "m" * 5000, "exception": traceback, "at": "now", "logger": "l", "storage_id": "s"})
    assert len(said) < JSON_LINE_BYTES
    shown = list(read(said.encode()).shown())
    assert shown[0] == f"now INFO l: [s] {'m' * 2000}"
    assert shown[-1] == "line 999"


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "00",
        PARENT[:-1],
        PARENT.upper(),
        f"{PARENT}-more",
        f"ff{PARENT[2:]}",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{PARENT}\r\nx: y",
    ],
)
def test_what_is_no_trace_context_is_ignored(parent: str) -> None:
    assert trace_of(parent) is None


def test_a_trace_context_is_handed_on_as_it_came() -> None:
    trace = trace_of(PARENT, "a=1,b=2")
    assert trace is not None
    assert trace.metadata() == (("traceparent", PARENT), ("tracestate", "a=1,b=2"))
    assert trace.trace_id == TRACE
    later = trace_of(f"cc{PARENT[2:]}-what-comes", "")
    assert later is not None
    assert later.metadata() == (("traceparent", PARENT),)
    for state in ("x" * 513, "a=1\r\nevil: yes", "a=ü"):
        kept = trace_of(PARENT, state)
        assert kept is not None
        assert kept.state == ""


def test_without_traces_nothing_of_opentelemetry_is_loaded() -> None:
    program = (
        "import sys, services.app.core, services.app.wiring, services.app.http_port, delphis.sdk.host.server;"
        "from delphis.tracing import spans; spans.start('x', '1');"
        "print(spans.tracer, [name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PATH": "/bin"}, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "None []\n"
