"""`delphis-driver check`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from delphis.sdk import conformance
from delphis.sdk.conformance import formats
from delphis.sdk.conformance.report import Outcome, Report, Result
from delphis.sdk.testing.client import TlsFiles

USAGE = 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="delphis-driver check", description=check.__doc__)
    parser.add_argument(
        "driver",
        nargs="?",
        metavar="FILE_OR_DIR",
        help="a Python file (FILE.py or FILE.py:Class), or a folder with driver.toml",
    )
    parser.add_argument(
        "--exec",
        dest="command_line",
        metavar="COMMAND",
        help="a program that serves StorageDriver at $DELPHIS_DRIVER_ENDPOINT; the kit starts it",
    )
    parser.add_argument(
        "--endpoint", metavar="ADDRESS", help="unix:///path or tcp://host:port of a host that runs already"
    )
    parser.add_argument("--tls-ca", metavar="FILE", type=Path, help="authorities of the endpoint's certificate (PEM)")
    parser.add_argument("--tls-cert", metavar="FILE", type=Path, help="our certificate for the endpoint (PEM)")
    parser.add_argument("--tls-key", metavar="FILE", type=Path, help="our key for the endpoint (PEM)")
    parser.add_argument("--tls-server-name", metavar="NAME", default="", help="the name in the endpoint's certificate")
    parser.add_argument(
        "--array", metavar="FILE", help="the array to check against (YAML, JSON or TOML); secrets by reference"
    )
    parser.add_argument("--traps", metavar="FILE", help="traps for ParseAlert, and the alerts they mean")
    parser.add_argument("--expected", metavar="FILE", help="check ids that are expected to fail, each with a reason")
    parser.add_argument(
        "--only", metavar="PATTERN", action="append", default=[], help="run only these checks, such as 'lists.*'"
    )
    parser.add_argument("--skip", metavar="PATTERN", action="append", default=[], help="leave these checks out")
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=conformance.TIMEOUT,
        help="for each call (default: %(default)g)",
    )
    parser.add_argument(
        "--pass-env", metavar="NAME", action="append", default=[], help="give this variable to the program, too"
    )
    parser.add_argument("--junit", metavar="FILE", type=Path, help="write the report as JUnit XML")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the report as JSON")
    parser.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="what to print (default: text)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print only what did not pass")
    parser.add_argument("--list", action="store_true", help="name all checks and what they demand")
    return parser


def check(words: Sequence[str]) -> int:
    """Checks a driver against the contract. Ends with 0 (passed), 1 (not passed) or 2 (it could not be checked)."""
    given = _parser().parse_args(words)
    if given.list:
        for each in conformance.all_checks().values():
            print(f"{each.id:24}  {each.demand}")
        return 0
    try:
        tls = _tls(given)
        report = conformance.check(
            given.driver,
            command=given.command_line,
            endpoint=given.endpoint,
            tls=tls,
            array=given.array,
            traps=given.traps,
            expected=given.expected,
            only=given.only,
            skip=given.skip,
            timeout=given.timeout,
            pass_env=given.pass_env,
            on_result=lambda result: _show(result, given),
        )
        _write(report, given)
    except conformance.UsageError as error:
        print(f"delphis-driver check: {error}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("delphis-driver check: interrupted", file=sys.stderr)
        return 130
    return report.exit_code


def _tls(given: Any) -> TlsFiles | None:
    files = (given.tls_ca, given.tls_cert, given.tls_key)
    if not any(files):
        return None
    if not all(files) or given.endpoint is None:
        raise conformance.UsageError("TLS needs --endpoint and all of --tls-ca, --tls-cert and --tls-key.")
    return TlsFiles(*files, server_name=given.tls_server_name)


def _show(result: Result, given: Any) -> None:
    if given.output == "text" and not (given.quiet and result.outcome is Outcome.PASSED):
        print(formats.line(result), flush=True)


def _write(report: Report, given: Any) -> None:
    print(formats.as_json(report) if given.output == "json" else f"\n{formats.summary(report)}")
    for path, make in ((given.junit, formats.junit), (given.json, formats.as_json)):
        if path is None:
            continue
        try:
            path.write_text(make(report), encoding="utf-8")
        except OSError as error:
            raise conformance.UsageError(f"{path} can't be written: {error.strerror}.") from None
