"""What all tests share: no test sees the user's own settings, a missing backend is named, long files come first."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Compiling all modules in each process that the tests start takes longer than most tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

POSTGRES = Path("/usr/lib/postgresql/15/bin/postgres")

# marker -> (is it there?, what to do if not)
NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "root": (lambda: os.geteuid() == 0, "run as root"),
    "go": (lambda: shutil.which("go") is not None, "install Go 1.24 or newer"),
    "node": (lambda: shutil.which("npm") is not None, "install Node.js 18 or newer, with npm"),
    "kafka": (lambda: bool(shutil.which("java") and shutil.which("mvn")), "install Java 17 and Maven, see .ci/run"),
    "ceph": (lambda: shutil.which("ceph-mon") is not None, "install Ceph's daemons, see .ci/run"),
    "postgres": (POSTGRES.exists, "install postgresql-15"),
}


# Files that take longest, longest first: workers that begin with them end together.
LONGEST = (Path(__file__).parent / "support" / "longest.txt").read_text().split()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config) -> None:
    """The order stays ours; it would put files of many tests first, which are quick."""
    config.option.loadscopereorder = False


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, (present, remedy) in NEEDS.items():
        if item.get_closest_marker(marker) is None or present():
            continue
        if os.environ.get("CI"):
            pytest.fail(f"CI lacks what marker {marker!r} needs: {remedy}", pytrace=False)
        pytest.skip(f"{marker}: {remedy}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Tells .ci/again.sh whether all tests ran."""
    if not hasattr(session.config, "workerinput") and hasattr(session.config, "cache"):
        session.config.cache.set("delphis/ended", int(exitstatus))


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keys, tokens and caches of a developer's own Delphis are neither read nor written."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("DELPHIS_") and "TEST" not in name]:
            patch.delenv(name)
        for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            patch.setenv(variable, str(home / variable.lower()))
        yield
