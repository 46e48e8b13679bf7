"""What is checked: a folder with a manifest, a file with a driver, a command, or a host that somebody else runs."""

from __future__ import annotations

import os
import re
import shlex
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from delphis.sdk.conformance.errors import UsageError
from delphis.sdk.driver_file import NoSingleDriver, import_root, only_class
from delphis.sdk.host.settings import Pair
from delphis.sdk.testing.client import TlsFiles
from delphis.sdk.testing.host_process import HostProcess
from delphis.sdk.testing.output import OnLine

MANIFEST = "driver.toml"


@dataclass(frozen=True)
class Subject:
    """A driver, and how a host of it is had: by a command, or at an endpoint.

    Attributes:
        title: What is checked, for people.
        command: The program that serves the driver; empty: it is served at `endpoint`.
        endpoint: Where somebody else serves it, as gRPC writes it.
        tls: For an endpoint over TCP.
        name: The driver's name; empty where it is not known beforehand.
        version: Its version; empty where it is not known beforehand.
        serves: Its vendors and models; empty where they are not known beforehand.
        folder: Working folder of the command.
        environment: Variables that the command gets beside those of the protocol.
        memory_mb: As `limits.memory_mb` of a manifest.
        open_files: As `limits.open_files` of a manifest.
    """

    title: str
    command: tuple[str, ...] = ()
    endpoint: str = ""
    tls: TlsFiles | None = None
    name: str = ""
    version: str = ""
    serves: tuple[Pair, ...] = ()
    folder: Path = field(default_factory=Path.cwd)
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    memory_mb: int = 1024
    open_files: int = 1024

    def start(self, on_line: OnLine, *, drain: float = 10.0, under_parent: bool = False) -> HostProcess:
        """A host of the driver, as Delphis' supervisor starts it."""
        try:
            return HostProcess(
                self.command,
                name=self.name or "conformance.driver",
                version=self.version or "0",
                serves=self.serves or (Pair("conformance", "driver"),),
                folder=self.folder,
                environment=self.environment,
                drain=drain,
                memory_mb=self.memory_mb,
                open_files=self.open_files,
                on_line=on_line,
                under_parent=under_parent,
            )
        except OSError as error:
            raise UsageError(f"{self.command[0]} can't be started: {error.strerror}.") from None


def find(
    driver: str | Path | None = None,
    *,
    command: str | Sequence[str] | None = None,
    endpoint: str | None = None,
    tls: TlsFiles | None = None,
    pass_env: Sequence[str] = (),
) -> Subject:
    """The subject that arguments name. UsageError where they don't fit together, or name nothing.

    Args:
        driver: A folder with `driver.toml`, or `file.py` or `file.py:Class`.
        command: A program that serves the driver; with `driver`, the one whose manifest it has.
        endpoint: `unix:///path` or `tcp://host:port` of a host that runs already.
        tls: For a TCP endpoint.
        pass_env: Names of variables that the program needs beside those of the protocol.
    """
    if command is not None and endpoint is not None:
        raise UsageError("--exec starts a host and --endpoint names one that runs: give one of them.")
    if driver is None and command is None and endpoint is None:
        raise UsageError("Name what to check: a folder or file, --exec COMMAND, or --endpoint ADDRESS.")
    base = _of_path(str(driver)) if driver is not None else Subject(title="")
    if command is not None:
        words = tuple(shlex.split(command) if isinstance(command, str) else command)
        if not words:
            raise UsageError("--exec names no program.")
        base = replace(base, title=base.title or shlex.join(words), command=words, endpoint="", folder=Path.cwd())
    if endpoint is not None:
        base = replace(base, title=base.title or endpoint, command=(), endpoint=_target(endpoint), tls=tls or base.tls)
    missing = [name for name in pass_env if name not in os.environ]
    if missing:
        raise UsageError(f"The environment variable {missing[0]} is not set.")
    return replace(base, environment={**base.environment, **{name: os.environ[name] for name in pass_env}})


def _target(endpoint: str) -> str:
    if endpoint.startswith("unix:"):
        return "unix:" + endpoint.removeprefix("unix:").removeprefix("//")
    if endpoint.startswith("tcp://"):
        return endpoint.removeprefix("tcp://")
    raise UsageError(f"An endpoint is unix:///path or tcp://host:port, not {endpoint!r}.")


def _of_path(driver: str) -> Subject:
    path = Path(driver)
    if path.is_dir() or path.name == MANIFEST:
        return _of_manifest((path if path.is_dir() else path.parent).resolve())
    file, _, attribute = driver.partition(":")
    path = Path(file)
    if not path.is_file():
        raise UsageError(f"There is no file or folder {file}.")
    if path.suffix != ".py":
        raise UsageError(f"{file} is no Python file; for a driver in another language use --exec.")
    stem = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")
    name = f"local.{stem}"
    try:
        driver_class = f"{path.resolve()}:{attribute or only_class(path)}"
    except NoSingleDriver as error:
        raise UsageError(str(error)) from None
    return Subject(
        title=driver,
        command=_python_host(name, driver_class),
        name=name,
        version="0",
        serves=(Pair("local", stem),),
        folder=path.resolve().parent,
    )


def _python_host(name: str, driver_class: str, python: str = "") -> tuple[str, ...]:
    return (python or sys.executable, "-P", "-m", "delphis.sdk.host", "--driver", name, "--class", driver_class)


def _of_manifest(folder: Path) -> Subject:
    file = folder / MANIFEST
    try:
        manifest: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        host: dict[str, Any] = manifest["host"]
        limits: dict[str, Any] = manifest.get("limits", {})
        subject = Subject(
            title=str(manifest["name"]),
            name=str(manifest["name"]),
            version=str(manifest["version"]),
            serves=tuple(Pair(str(pair["vendor"]), str(pair["model"])) for pair in manifest["serves"]),
            folder=folder,
            environment={str(key): str(value) for key, value in host.get("environment", {}).items()},
            memory_mb=int(limits.get("memory_mb", 1024)),
            open_files=int(limits.get("open_files", 1024)),
        )
        if "command" in host:
            program, *arguments = (str(word) for word in host["command"])
            program = str(folder / program) if "/" in program else program
            return replace(subject, command=(program, *arguments))
        if "endpoint" in host:
            return replace(subject, endpoint=_target(str(host["endpoint"])), tls=_tls(host.get("tls"), folder))
        driver_class, python = str(host["class"]), str(host.get("python", ""))
    except OSError as error:
        raise UsageError(f"{file} can't be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is no TOML: {error}.") from None
    except KeyError as error:
        raise UsageError(f"{file} lacks {error.args[0]!r}.") from None
    except (TypeError, ValueError, AttributeError):
        raise UsageError(f"{file} must have name, version, [[serves]] and [host] as the SDK's README says.") from None
    return _of_class(subject, driver_class, str(folder / python) if "/" in python else python)


def _of_class(subject: Subject, driver_class: str, python: str) -> Subject:
    place, _, attribute = driver_class.rpartition(":")
    if place.endswith(".py"):
        return replace(subject, command=_python_host(subject.name, f"{subject.folder / place}:{attribute}", python))
    environment = dict(subject.environment)
    root = import_root(place, subject.folder)
    if root is not None:
        environment["PYTHONPATH"] = str(root)
    return replace(subject, command=_python_host(subject.name, driver_class, python), environment=environment)


def _tls(table: dict[str, str] | None, folder: Path) -> TlsFiles | None:
    if table is None:
        return None
    return TlsFiles(folder / table["ca"], folder / table["cert"], folder / table["key"], table.get("server_name", ""))
