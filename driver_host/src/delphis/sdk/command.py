"""`delphis-driver`: run a driver by hand, or in a container; the other commands have modules of their own."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from delphis.sdk.driver_file import NoSingleDriver, import_root, only_class
from delphis.sdk.host.settings import PREFIX, HostSettings, Pair, SettingsError, from_environment
from delphis.sdk.version import VERSION

MANIFEST = "driver.toml"
OWN_FOLDER = "delphis-driver-"


def main(arguments: Sequence[str] | None = None) -> None:
    """Make, run and prove storage drivers for Delphis."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["check"]:  # not loaded by hosts, which start in little time
        from delphis.sdk.conformance.command import check

        sys.exit(check(words[1:]))
    if words[:1] == ["new"]:
        from delphis.sdk.project.command import new

        sys.exit(new(words[1:]))
    if words[:1] == ["certs"]:
        sys.exit(_certs(words[1:]))
    if words[:1] == ["record"]:
        from delphis.sdk.recording.command import record

        sys.exit(record(words[1:]))
    if words[:1] == ["simulate"]:
        from delphis.sdk.simulation.command import simulate

        sys.exit(simulate(words[1:]))
    parser = argparse.ArgumentParser(prog="delphis-driver", description=main.__doc__)
    parser.add_argument("--version", action="version", version=f"delphis-driver {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="serve a driver until interrupted", description=_run.__doc__)
    run.add_argument(
        "driver", metavar="FILE_OR_DIR", help=f"a Python file (FILE.py or FILE.py:Class), or a folder with {MANIFEST}"
    )
    run.add_argument(
        "--endpoint", metavar="ADDRESS", help="unix:///path or tcp://host:port; default: a socket in a new folder"
    )
    commands.add_parser("certs", help="make certificates for development: an authority, a core, hosts")
    commands.add_parser("check", help="prove that a driver keeps the contract")
    commands.add_parser("new", help="make the project of a new driver")
    commands.add_parser("record", help="write down what a driver reads from an array, without anything private")
    commands.add_parser("simulate", help="replay a recording on real sockets")
    given = parser.parse_args(words)
    try:
        settings = _run(given.driver, given.endpoint)
    except SettingsError as error:
        parser.exit(2, f"delphis-driver: {error}\n")
    from delphis.sdk.host import server

    code = server.main(settings)
    if settings.endpoint.startswith(f"unix://{tempfile.gettempdir()}/{OWN_FOLDER}"):
        with contextlib.suppress(OSError):
            Path(settings.endpoint.removeprefix("unix://")).parent.rmdir()
    server.leave(code)


def _certs(arguments: Sequence[str]) -> int:
    try:
        from delphis.sdk.certificates import development
    except ModuleNotFoundError as error:
        if error.name != "cryptography":
            raise
        sys.stderr.write("delphis-driver certs needs cryptography: pip install 'delphis-driver-sdk[certs]'\n")
        return 2
    return development(arguments)


def _run(driver: str, endpoint: str | None) -> HostSettings:
    """Serves a driver at a socket. Settings come from DELPHIS_DRIVER_* as for a host that Delphis starts."""
    environment = dict(os.environ)
    if endpoint is not None:
        environment[PREFIX + "ENDPOINT"] = endpoint
    elif not environment.get(PREFIX + "ENDPOINT"):
        environment[PREFIX + "ENDPOINT"] = f"unix://{tempfile.mkdtemp(prefix=OWN_FOLDER)}/host.sock"
    path = Path(driver)
    if path.is_dir() or path.name == MANIFEST:
        return _from_manifest(path if path.is_dir() else path.parent, environment)
    file, _, attribute = driver.partition(":")
    path = Path(file)
    if not path.is_file():
        raise SettingsError(f"There is no file or folder {file}.")
    name = f"local.{re.sub(r'[^a-z0-9]+', '-', path.stem.lower()).strip('-')}"
    try:
        attribute = attribute or only_class(path)
    except NoSingleDriver as error:
        raise SettingsError(str(error)) from None
    return from_environment(environment.get(PREFIX + "NAME") or name, f"{path.resolve()}:{attribute}", environment)


def _from_manifest(folder: Path, environment: dict[str, str]) -> HostSettings:
    folder = folder.resolve()
    try:
        manifest: dict[str, Any] = tomllib.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        name = str(manifest["name"])
        if "command" in manifest["host"]:
            _become_program(folder, environment)
        driver_class = str(manifest["host"]["class"])
        serves = tuple(Pair(str(pair["vendor"]), str(pair["model"])) for pair in manifest["serves"])
    except OSError as error:
        raise SettingsError(f"{folder / MANIFEST} can't be read: {error.strerror}.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{folder / MANIFEST} is no TOML: {error}.") from None
    except KeyError as error:
        raise SettingsError(f"{folder / MANIFEST} lacks {error.args[0]!r}.") from None
    except TypeError:
        raise SettingsError(
            f"{folder / MANIFEST} must have name, [[serves]] with vendor and model, [host] with class."
        ) from None
    place, _, attribute = driver_class.rpartition(":")
    if place.endswith(".py"):
        driver_class = f"{folder / place}:{attribute}"
    else:
        root = import_root(place, folder)
        if root is not None:
            sys.path.insert(0, str(root))
    settings = from_environment(name, driver_class, environment)
    return replace(
        settings, version=settings.version or str(manifest.get("version", "")), serves=settings.serves or serves
    )


def _become_program(folder: Path, environment: dict[str, str]) -> NoReturn:
    """Runs the program of a manifest in the place of this process, told what Delphis would tell it."""
    from delphis.sdk.conformance.errors import UsageError
    from delphis.sdk.conformance.subject import find

    try:
        subject = find(folder)
    except UsageError as error:
        raise SettingsError(str(error)) from None
    told = {
        "NAME": subject.name,
        "VERSION": subject.version,
        "SERVES": json.dumps([pair._asdict() for pair in subject.serves]),
    }
    environment.update(subject.environment)
    environment.update((PREFIX + name, value) for name, value in told.items())
    sys.stderr.write(f"delphis-driver: {subject.command[0]} serves at {environment[PREFIX + 'ENDPOINT']}\n")
    sys.stderr.flush()
    os.chdir(folder)
    try:
        os.execvpe(subject.command[0], subject.command, environment)
    except OSError as error:
        raise SettingsError(f"{subject.command[0]} can't be run: {error.strerror}.") from None
