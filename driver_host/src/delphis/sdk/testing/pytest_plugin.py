"""pytest shows each check of the conformance kit as a test.

    # pyproject.toml
    [tool.pytest.ini_options]
    delphis_driver = "."
    delphis_array = "tests/array.yaml"

    # tests/test_conformance.py
    def test_conformance(delphis_check):
        delphis_check()

An array that is started for the tests is the value of a fixture `delphis_array` of the author's, of session scope.
`delphis_driver` is the driver on its test bench, for tests of its author's: `delphis_driver.call("ListVolumes")`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from delphis.sdk.conformance import Array, Bench, Examination

_PATHS = {
    "driver": "folder with driver.toml, or FILE.py:Class, that delphis_check checks (default: the root folder)",
    "array": "file that describes the array to check against",
    "traps": "file of traps for ParseAlert",
    "expected": "file of failures that are expected, with reasons",
}
_TEXTS = {
    "exec": "command that serves the driver; run by the conformance kit",
    "endpoint": "address of a host that runs already",
    "timeout": "seconds that a call of the conformance kit may take (default: 20)",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options, and the same names in pytest's configuration."""
    group = parser.getgroup("delphis", "conformance of a storage driver for Delphis")
    for name, text in {**_PATHS, **_TEXTS}.items():
        group.addoption(f"--delphis-{name}", metavar=name.upper(), help=text)
        parser.addini(f"delphis_{name}", text)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `delphis_check` runs once for each check."""
    if "delphis_check" in metafunc.fixturenames:
        from delphis.sdk.conformance import all_checks

        checks = all_checks()
        metafunc.parametrize("delphis_check", checks.values(), ids=checks.keys(), indirect=True, scope="function")


@pytest.fixture(scope="session")
def delphis_array(pytestconfig: pytest.Config) -> Array | str | None:
    """The array to check against: the file of the setting. Override it where a simulator is started for the tests."""
    return _setting(pytestconfig, "array")


@pytest.fixture(scope="session")
def delphis_examination(pytestconfig: pytest.Config, delphis_array: Array | str | None) -> Iterator[Examination]:
    """The run that the checks belong to. One host serves the driver for all tests of the session."""
    from delphis.sdk import conformance

    driver, command, endpoint = (_setting(pytestconfig, name) for name in ("driver", "exec", "endpoint"))
    if driver is None and command is None and endpoint is None:
        driver = str(pytestconfig.rootpath)
    timeout = _setting(pytestconfig, "timeout")
    try:
        run = conformance.examination(
            driver,
            command=command,
            endpoint=endpoint,
            array=delphis_array,
            traps=_setting(pytestconfig, "traps"),
            expected=_setting(pytestconfig, "expected"),
            timeout=float(timeout) if timeout else conformance.TIMEOUT,
        )
    except conformance.UsageError as error:
        raise pytest.UsageError(str(error)) from None
    with run:
        yield run


def _setting(config: pytest.Config, name: str) -> str | None:
    """An option of the command line, relative to the working folder; else of the configuration, relative to its."""
    given: Any = config.getoption(f"--delphis-{name}")
    if given:
        return str(given)
    configured = str(config.getini(f"delphis_{name}") or "")
    if not configured:
        return None
    return str(config.rootpath / Path(configured)) if name in _PATHS else configured


@pytest.fixture(scope="session")
def delphis_driver(delphis_examination: Examination) -> Bench:
    """The driver on its test bench: `call`, `target`, `list_now`, `info`, `storage`, `host`."""
    return delphis_examination.bench


@pytest.fixture
def delphis_check(request: pytest.FixtureRequest, delphis_examination: Examination) -> Callable[[], None]:
    """One check: call it. It fails, skips what can't be run, and marks what is expected to fail."""
    from delphis.sdk.conformance import Outcome

    def run() -> None:
        result = delphis_examination.run(request.param)
        problems = "\n".join(f"- {problem}" for problem in result.problems)
        match result.outcome:
            case Outcome.FAILED:
                pytest.fail(f"{result.check}: {result.demand}\n{problems}", pytrace=False)
            case Outcome.EXPECTED:
                pytest.xfail(result.reason)
            case Outcome.NOT_RUN:
                pytest.skip(f"not run: {result.reason}")
            case Outcome.PASSED:
                pass

    return run


@pytest.fixture
def delphis_simulate() -> Iterator[Callable[..., Any]]:
    """Starts simulated arrays, which end with the test: a `Simulator`, or the folder of a recording.

    Of a folder the part over HTTP is served: `delphis_simulate("recordings/box", tls=True)`.
    """
    from delphis.sdk.recording import files
    from delphis.sdk.simulation.replay import ReplayServer

    with contextlib.ExitStack() as stack:

        def start(what: Any, **options: Any) -> Any:
            server = ReplayServer(files.read(Path(what)), **options) if isinstance(what, str | Path) else what
            return stack.enter_context(server)

        yield start
