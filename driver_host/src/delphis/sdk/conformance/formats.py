"""A report for people, for CI (JUnit) and for programs (JSON)."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from xml.etree import ElementTree

from delphis.sdk.conformance.report import Outcome, Report, Result

_WIDTH = 100
_MARKS = {Outcome.PASSED: "ok", Outcome.FAILED: "FAILED", Outcome.EXPECTED: "expected", Outcome.NOT_RUN: "not run"}
# What XML 1.0 can't hold.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def line(result: Result) -> str:
    """One result in a line, with what is wrong below it."""
    lines = [f"{_MARKS[result.outcome]:8}  {result.check:24}  {_first(result)}"]
    if result.outcome in (Outcome.FAILED, Outcome.EXPECTED):
        lines.append(_indented(f"demands: {result.demand}"))
        for problem in result.problems:
            lines.append(_indented(f"- {problem.what}"))
            if problem.where:
                lines.append(_indented(f"  at: {problem.where}"))
            if problem.remedy:
                lines.append(_indented(f"  do: {problem.remedy}"))
    return "\n".join(lines)


def _first(result: Result) -> str:
    match result.outcome:
        case Outcome.PASSED:
            return result.demand
        case Outcome.FAILED:
            return f"{len(result.problems)} problem{'s' if len(result.problems) > 1 else ''}"
        case _:
            return result.reason


def _indented(text: str) -> str:
    parts = [
        textwrap.fill(part, _WIDTH, initial_indent=" " * 10, subsequent_indent=" " * 12, break_on_hyphens=False)
        for part in text.splitlines()
    ]
    return "\n".join(parts)


def summary(report: Report) -> str:
    """The last lines."""
    who = f"{report.name} {report.version}".strip() or report.subject
    counts = ", ".join(f"{len(report.of(outcome))} {outcome.value}" for outcome in Outcome)
    verdict = "PASSED" if report.passed else "NOT PASSED"
    runtime = f", served by {report.runtime}" if report.runtime else ""
    return f"{verdict}: {who}{runtime}\n{counts}, in {report.seconds:.1f} s, by delphis-driver-sdk {report.kit}"


def text(report: Report) -> str:
    """The whole report for people."""
    return "\n".join([*map(line, report.results), "", summary(report)]) + "\n"


def as_json(report: Report) -> str:
    """The whole report for programs."""
    document = {
        "subject": report.subject,
        "driver": {"name": report.name, "version": report.version, "runtime": report.runtime},
        "kit": report.kit,
        "passed": report.passed,
        "seconds": round(report.seconds, 3),
        "counts": {outcome.value: len(report.of(outcome)) for outcome in Outcome},
        "checks": [
            {
                "id": result.check,
                "demand": result.demand,
                "outcome": result.outcome.value,
                "reason": result.reason,
                "problems": [problem._asdict() for problem in result.problems],
                "seconds": round(result.seconds, 3),
            }
            for result in report.results
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def junit(report: Report) -> str:
    """The whole report as JUnit's XML: a failure that is expected counts as skipped."""
    suites = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(
        suites,
        "testsuite",
        name=_xml(report.name or report.subject),
        tests=str(len(report.results)),
        failures=str(len(report.failed)),
        errors="0",
        skipped=str(len(report.of(Outcome.NOT_RUN)) + len(report.of(Outcome.EXPECTED))),
        time=f"{report.seconds:.3f}",
    )
    for result in report.results:
        case = ElementTree.SubElement(
            suite, "testcase", classname=result.group, name=result.check, time=f"{result.seconds:.3f}"
        )
        for tag, message, body in _details(result):
            ElementTree.SubElement(case, tag, message=_xml(message)).text = _xml(body)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _details(result: Result) -> Iterator[tuple[str, str, str]]:
    body = "\n".join(map(str, result.problems))
    match result.outcome:
        case Outcome.FAILED:
            yield "failure", result.demand, body
        case Outcome.EXPECTED:
            yield "skipped", f"expected to fail: {result.reason}", body
        case Outcome.NOT_RUN:
            yield "skipped", f"not run: {result.reason}", ""
        case Outcome.PASSED:
            pass


def _xml(value: str) -> str:
    return _NOT_XML.sub("�", value)
