"""Each driver that misbehaves is caught, by the check that is about it; and each check is seen to fail."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from delphis.sdk import conformance
from delphis.sdk.conformance import Array, Outcome, Report
from delphis.sdk.conformance import subject as subjects
from delphis.sdk.testing import HostClient
from tests.conformance.array_stub import listening
from tests.conformance.support import BAD, HERE, PASSWORD, access, array

TIMEOUT = 3.0

# Some forty hosts are started, at a third of a second of CPU each.
pytestmark = pytest.mark.slow

# A host of the SDK's, the same for all rows of a file: file, extra_attributes.bad, the checks that catch it.
DRIVERS: tuple[tuple[str, str, str], ...] = (
    ("exit.py", "yes", "lists.read"),
    ("hang.py", "login", "storage.read"),
    ("hang.py", "yes", "lists.read deadlines.returns"),
    ("slow.py", "5", "lists.read"),
    ("busy.py", "1.2", "concurrency.responsive"),
    ("lie.py", "dict", "lists.read"),
    ("lie.py", "none", "lists.read"),
    ("lie.py", "text", "lists.read"),
    ("lie.py", "mixed", "lists.read"),
    ("lie.py", "half_error", "lists.read"),
    ("lie.py", "nameless", "lists.complete lists.warnings"),
    ("lie.py", "half", "lists.complete"),
    ("lie.py", "huge", "lists.complete lists.warnings"),
    ("lie.py", "duplicates", "lists.ids-unique"),
    ("lie.py", "core_owned", "lists.warnings"),
    ("lie.py", "no_serial", "storage.read"),
    ("lie.py", "garbage", "storage.read"),
    ("foreign_ids.py", "other", "storage.warnings lists.warnings relations.resolvable"),
    ("tell_secrets.py", "yes", "secrets.masked"),
    ("tell_secrets.py", "known", "lists.read"),
    ("tell_secrets.py", "unknown", "lists.read"),
    ("no_import.py", "", "identity.loads"),
    ("no_driver.py:NoDriver", "", "identity.loads"),
    ("untrue.py:Untrue", "same_serial", "storage.second"),
    ("untrue.py:Untrue", "serial_changes", "storage.stable"),
    ("untrue.py:Untrue", "unsupported", "identity.announced"),
    ("untrue.py:Untrue", "unknown_kind", "identity.capabilities"),
    ("untrue.py:Untrue", "control_in_id", "lists.ids-set"),
    ("untrue.py:Untrue", "random_ids", "lists.ids-stable"),
    ("untrue.py:Untrue", "much_native", "lists.warnings"),
    ("untrue.py:Untrue", "same_wwn", "lists.wwns-unique"),
    ("untrue.py:Untrue", "view_of_nothing", "relations.masking-views"),
    ("untrue.py:Untrue", "member_twice", "relations.members"),
    ("untrue.py:Untrue", "odd_enum", "values.enums"),
    ("untrue.py:Untrue", "enum_unspecified", "values.enums"),
    ("untrue.py:Untrue", "control_in_name", "values.texts"),
    ("untrue.py:Untrue", "colons_in_wwn", "values.formats"),
    ("untrue.py:Untrue", "zeros_left_out", "values.zeros"),
    ("untrue.py:Untrue", "zeros_for_unset", "values.zeros"),
    ("untrue.py:Untrue", "negative", "values.negative"),
    ("untrue.py:Untrue", "capacity_differs", "values.capacities"),
    ("untrue.py:Untrue", "gigabits", "values.plausible"),
    ("untrue.py:Untrue", "megabytes", "values.units"),
    ("untrue.py:Untrue", "alerts_fail", "alerts.list"),
    ("untrue.py:Untrue", "alert_of_2100", "alerts.sane"),
    ("untrue.py:Untrue", "ignores_window", "alerts.window"),
    ("untrue.py:Untrue", "source_without_host", "alerts.sources"),
    ("untrue.py:Untrue", "clear_fails", "alerts.clear-absent"),
    ("untrue.py:Untrue", "add_once", "alerts.receivers"),
    ("untrue.py:Untrue", "metrics_fail", "metrics.read"),
    ("untrue.py:Untrue", "metric_twice", "metrics.columns"),
    ("untrue.py:Untrue", "other_metrics", "metrics.announced"),
    ("untrue.py:Untrue", "old_samples", "metrics.times"),
    ("untrue.py:Untrue", "uneven", "metrics.times"),
    ("untrue.py:Untrue", "percent", "metrics.values"),
    ("untrue.py:Untrue", "far_too_much", "metrics.values"),
    ("untrue.py:Untrue", "unknown_metric", "metrics.catalogue"),
    ("untrue.py:Untrue", "other_unit", "metrics.catalogue"),
    ("untrue.py:Untrue", "other_kind", "metrics.catalogue"),
    ("untrue.py:Untrue", "short_retention", "metrics.intervals"),
    ("untrue.py:Untrue", "minutes", "metrics.intervals"),
    ("untrue.py:Untrue", "batch_twice", "metrics.once"),
    ("untrue.py:Untrue", "present_only", "metrics.history"),
    ("untrue.py:Untrue", "writes_too_many", "metrics.consistent"),
    ("untrue.py:Untrue", "kilobytes", "metrics.consistent"),
    ("untrue.py:Untrue", "tomorrow", "metrics.latest"),
    ("untrue.py:Untrue", "any_password", "access.wrong-credentials access.revision"),
    ("untrue.py:Untrue", "reset_fails", "session.reset"),
    ("untrue.py:Untrue", "shared_state", "concurrency.one-array"),
    ("untrue.py:Untrue", "shared_array", "concurrency.arrays"),
    ("untrue.py:Untrue", "password_in_native", "secrets.answers"),
    ("untrue.py:Misreader", "", "traps.unknown traps.odd traps.given"),
    ("traps.py", "", "traps.unknown traps.odd"),
)
# The same, logging in over a socket.
CONNECTING: tuple[tuple[str, str, str], ...] = (
    ("untrue.py:Untrue", "connect_fault", "access.unreachable"),
    ("untrue.py:Untrue", "never_connects", "access.unreachable access.silent access.foreign"),
    ("untrue.py:Untrue", "no_timeout", "access.silent"),
)
# Its process is the kit's own.
PROCESSES: tuple[tuple[str, str, str], ...] = (
    ("crash.py", "segv", "process.survives lists.read"),
    ("crash.py", "abort", "process.survives"),
    ("crash.py", "kill", "process.survives"),
    ("crash.py", "exit", "process.survives"),
    ("stdout.py", "yes", "output.quiet output.text"),
    ("leak.py", "10", "output.memory"),
    ("ignore_sigterm.py", "yes", "process.drain"),
    ("untrue.py:Untrue", "password_on_stderr", "secrets.log"),
    ("untrue.py:Untrue", "password_in_argv", "secrets.process"),
)
# raw_host.py: what is wrong with the host, of any language.
RAW_HOSTS: tuple[tuple[str, str], ...] = (
    ("no_info", "identity.answers"),
    ("nameless", "identity.names"),
    ("announces_more", "identity.announced"),
    ("secret_method", "identity.unannounced"),
    ("odd_fields", "identity.access-fields"),
    ("half_healthy", "service.health"),
    ("no_reflection", "service.reflection"),
    ("takes_anything", "access.required access.missing malformed.target malformed.traps"),
    ("misreads", "malformed.garbage"),
    ("no_newer", "malformed.unknown-fields"),
    ("any_method", "malformed.method"),
    ("close_once", "session.close"),
    ("old_owner", "session.epoch"),
)
# raw_host.py `good`, and what is wrong with one array: extra_attributes.bad, checks.
RAW_ARRAYS: tuple[tuple[str, str], ...] = (
    ("core_owned", "storage.core-owned lists.core-owned"),
    ("complete_early", "lists.complete"),
    ("too_many", "lists.batches"),
    ("too_large", "lists.batches"),
    ("empty_first", "lists.empty-messages"),
    ("no_ids", "lists.ids-set"),
    ("much_native", "lists.native"),
    ("foreign_fields", "lists.types"),
    ("no_reason", "errors.reasons access.wrong-credentials"),
    ("other_code", "errors.reasons"),
    ("permission_denied", "errors.forbidden errors.reasons"),
    ("as_router", "errors.forbidden"),
    ("no_message", "errors.messages"),
    ("busy", "errors.retry"),
)
# raw_host.py as the kit's own process: bad, seconds that lists take, checks.
RAW_PROCESSES: tuple[tuple[str, str, str], ...] = (
    ("exits", "0", "service.ready"),
    ("fragile", "0", "malformed.huge"),
    ("one_thread", "4", "deadlines.kept deadlines.cancelled"),
    ("exit_1", "0", "process.drain"),
    ("hangs_up", "0.8", "process.drain"),
    ("same_server_id", "0", "process.restart"),
    ("survives_parent", "0", "process.parent"),
)

Endpoint = Callable[[str], str]


@pytest.fixture(scope="module")
def endpoint_of() -> Iterator[Endpoint]:
    """Where a driver of this folder is served; by one process for all that ask."""
    with ExitStack() as stack:

        @cache
        def endpoint(driver: str) -> str:
            host = stack.enter_context(subjects.find(BAD / driver).start(lambda _: None))
            client = HostClient(host.endpoint)
            stack.callback(client.close)
            host.become_ready(client.serves)
            return host.endpoint

        yield endpoint


@pytest.fixture(scope="module")
def raw_hosts() -> Iterator[Path]:
    """A folder of sockets, one for each way to be wrong, served by one process."""
    with tempfile.TemporaryDirectory(prefix="raw-") as folder:
        command = [sys.executable, str(BAD / "raw_host.py"), folder, "good", *(bad for bad, _ in RAW_HOSTS)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield Path(folder)
            process.terminate()
            assert process.wait(60) == 0


def caught(report: Report, checks: str) -> None:
    """Each of the checks failed, and says what, where it is known, and no secret."""
    for check in checks.split():
        result = report[check]
        assert result.outcome is Outcome.FAILED, conformance.text(report)
        assert all(problem.what for problem in result.problems)
        assert not any(problem.what.startswith("The check stumbled") for problem in result.problems), result
    assert not report.passed
    assert PASSWORD not in conformance.text(report)


def examined(
    checks: str, *, driver: Path | None = None, endpoint: str | None = None, command: str | None = None, at: Array
) -> Report:
    """A run of these checks, after those that ask for what they look back at."""
    before: list[str] = ["access.wrong-credentials"] if checks.startswith("errors.") else []
    before += ["lists.read"] if checks.startswith(("deadlines.returns", "process.survives")) else []
    return conformance.check(
        driver,
        endpoint=endpoint,
        command=command,
        array=at,
        traps=HERE / "traps.yaml",
        only=[*checks.split(), *before],
        timeout=TIMEOUT,
    )


@pytest.mark.parametrize(("driver", "bad", "checks"), DRIVERS)
def test_a_bad_driver(endpoint_of: Endpoint, driver: str, bad: str, checks: str) -> None:
    caught(examined(checks, endpoint=endpoint_of(driver), at=array(bad=bad)), checks)


@pytest.mark.parametrize(("driver", "bad", "checks"), CONNECTING)
def test_a_driver_that_connects_badly(endpoint_of: Endpoint, driver: str, bad: str, checks: str) -> None:
    with listening(PASSWORD) as port:
        caught(examined(checks, endpoint=endpoint_of(driver), at=array(port=port, connects=True, bad=bad)), checks)


@pytest.mark.parametrize(("driver", "bad", "checks"), PROCESSES)
def test_a_bad_process(driver: str, bad: str, checks: str) -> None:
    caught(examined(checks, driver=BAD / driver, at=array(bad=bad)), checks)


@pytest.mark.parametrize(("bad", "checks"), RAW_HOSTS)
def test_a_host_of_another_making(raw_hosts: Path, bad: str, checks: str) -> None:
    caught(examined(checks, endpoint=f"unix://{raw_hosts}/{bad}.sock", at=array()), checks)


@pytest.mark.parametrize(("bad", "checks"), RAW_ARRAYS)
def test_a_bad_array_of_another_host(raw_hosts: Path, bad: str, checks: str) -> None:
    caught(examined(checks, endpoint=f"unix://{raw_hosts}/good.sock", at=array(bad=bad)), checks)


@pytest.mark.parametrize(("bad", "seconds", "checks"), RAW_PROCESSES)
def test_a_bad_process_of_another_making(bad: str, seconds: str, checks: str) -> None:
    at = Array(access(), slow=access(extra={"seconds": seconds}), makes_no_connection=True, blocks=("rest",))
    command = f"{sys.executable} {BAD / 'raw_host.py'} {bad}"
    caught(examined(checks, command=command, at=at), checks)


def test_every_bad_driver_is_here() -> None:
    used = {row[0].partition(":")[0] for rows in (DRIVERS, CONNECTING, PROCESSES) for row in rows}
    assert used | {"raw_host.py"} == {path.name for path in BAD.glob("*.py")}


def test_every_check_is_seen_to_fail() -> None:
    tables = (DRIVERS, CONNECTING, PROCESSES, RAW_HOSTS, RAW_ARRAYS, RAW_PROCESSES)
    failed = {check for rows in tables for row in rows for check in row[-1].split()}
    assert failed == set(conformance.all_checks())
