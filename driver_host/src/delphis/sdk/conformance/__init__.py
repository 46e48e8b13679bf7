"""Proves that a driver keeps the contract, in whatever language it is written.

    from delphis.sdk import conformance

    report = conformance.check("my_driver/", array="array.yaml")
    assert report.passed, conformance.text(report)

`delphis-driver check` is the same as a command; `delphis.sdk.testing.pytest_plugin` shows each check as a test.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from delphis.sdk.conformance import array as arrays
from delphis.sdk.conformance import expected as expectations
from delphis.sdk.conformance import subject as subjects
from delphis.sdk.conformance import traps as trap_files
from delphis.sdk.conformance.array import Array
from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import Check, all_checks
from delphis.sdk.conformance.errors import UsageError
from delphis.sdk.conformance.formats import text
from delphis.sdk.conformance.report import Outcome, Problem, Report, Result
from delphis.sdk.conformance.runner import Examination, OnResult, chosen
from delphis.sdk.testing.client import TlsFiles

__all__ = [
    "Array",
    "Bench",
    "Check",
    "Examination",
    "Outcome",
    "Problem",
    "Report",
    "Result",
    "TlsFiles",
    "UsageError",
    "all_checks",
    "check",
    "examination",
    "text",
]

TIMEOUT = 20.0


def examination(
    driver: str | Path | None = None,
    *,
    command: str | Sequence[str] | None = None,
    endpoint: str | None = None,
    tls: TlsFiles | None = None,
    array: str | Path | Array | None = None,
    traps: str | Path | None = None,
    expected: str | Path | None = None,
    timeout: float = TIMEOUT,
    pass_env: Sequence[str] = (),
) -> Examination:
    """A run whose checks are called one by one, as a test framework does. Arguments as for `check`."""
    subject = subjects.find(driver, command=command, endpoint=endpoint, tls=tls, pass_env=pass_env)
    given = array if isinstance(array, Array) else arrays.read(Path(array)) if array else arrays.made_up()
    bench = Bench(subject, given, trap_files.read(Path(traps)) if traps else [], timeout)
    return Examination(bench, expectations.read(Path(expected), all_checks()) if expected else {})


def check(
    driver: str | Path | None = None,
    *,
    command: str | Sequence[str] | None = None,
    endpoint: str | None = None,
    tls: TlsFiles | None = None,
    array: str | Path | Array | None = None,
    traps: str | Path | None = None,
    expected: str | Path | None = None,
    only: Collection[str] = (),
    skip: Collection[str] = (),
    timeout: float = TIMEOUT,
    pass_env: Sequence[str] = (),
    on_result: OnResult = lambda _: None,
) -> Report:
    """Checks a driver.

    Args:
        driver: A folder with `driver.toml`, or `file.py` or `file.py:Class`.
        command: A program that serves StorageDriver at $DELPHIS_DRIVER_ENDPOINT; the kit starts it itself.
        endpoint: `unix:///path` or `tcp://host:port` of a host that runs already. What needs a process of the kit's own
            is then not run.
        tls: Files for a TCP endpoint.
        array: The array, or the file that describes it; None: made up, for drivers that take any.
        traps: File of traps for ParseAlert.
        expected: File of failures that are expected, with reasons.
        only: Patterns of check ids, such as `lists.*`; none: all.
        skip: Patterns of check ids.
        timeout: Seconds that a call may take.
        pass_env: Names of variables that the program needs beside those of the launch protocol.
        on_result: Told each result as it comes.

    Raises:
        UsageError: An argument or a file can't be used.
    """
    wanted = chosen(only, skip)
    with examination(
        driver,
        command=command,
        endpoint=endpoint,
        tls=tls,
        array=array,
        traps=traps,
        expected=expected,
        timeout=timeout,
        pass_env=pass_env,
    ) as run:
        for each in wanted:
            on_result(run.run(each))
        return run.report()
