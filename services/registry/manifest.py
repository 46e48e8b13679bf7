"""Manifests: what a `driver.toml` says of a driver, checked."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from services.registry.errors import ManifestError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_CLASS = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_CLASS_IN_FILE = re.compile(r"([^:]+\.py):([A-Za-z_]\w*)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_BYTES = 64 * 1024


class Pair(NamedTuple):
    """A vendor and a model, exactly as operators write them."""

    vendor: str
    model: str

    def __str__(self) -> str:
        return f"{self.vendor} {self.model}"


class Source(Enum):
    """Where a driver was found."""

    MANIFEST = "manifest"
    ENTRY_POINT = "entry point"
    LEASE = "lease"


@dataclass(frozen=True, slots=True)
class PythonHost:
    """A StorageDriver subclass, run by the SDK's host."""

    driver_class: str
    """`module:Class`, or `/path/to/file.py:Class`"""
    python: str = ""
    """An interpreter of the driver's own; empty: the core's."""


@dataclass(frozen=True, slots=True)
class CommandHost:
    """A program that serves StorageDriver at $DELPHIS_DRIVER_ENDPOINT."""

    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of a mutual TLS connection."""

    ca: Path
    cert: Path
    key: Path
    server_name: str = ""


@dataclass(frozen=True, slots=True)
class EndpointHost:
    """A host that somebody else runs, at `unix:///path` or `tcp://host:port`."""

    endpoint: str
    tls: TlsFiles | None = None

    @property
    def target(self) -> str:
        """The address as gRPC writes it."""
        scheme, _, rest = self.endpoint.partition(":")
        return f"unix:{rest.removeprefix('//')}" if scheme == "unix" else rest.removeprefix("//")


@dataclass(frozen=True, slots=True)
class LeasedHost(EndpointHost):
    """A host that announced itself, in this one life of it."""

    certificate_sha256: str = ""
    """Of the one certificate that it may show."""
    server_id: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a spawned host may use. It is replaced at 80 % of its memory and killed at all of it."""

    memory_mb: int = 1024
    open_files: int = 1024
    cpu_percent: int = 0
    """Of one core, averaged over a minute; 0: no limit."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A driver and how it is run. Two with the same name are replicas."""

    name: str
    version: str
    serves: tuple[Pair, ...]
    host: PythonHost | CommandHost | EndpointHost
    source: Source
    origin: str
    """The file or entry point, for people."""
    rank: int = 0
    """Where two drivers serve a pair, the one of the lower rank has it until an operator prefers the other."""
    limits: Limits = Limits()
    folder: Path | None = None
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __hash__(self) -> int:
        """Of what tells most; each call to an array looks its driver up by its manifest."""
        return hash((self.name, self.origin))

    @property
    def spawned(self) -> bool:
        """Whether its hosts are processes of ours."""
        return not isinstance(self.host, EndpointHost)

    @property
    def leased(self) -> bool:
        """Whether the host announced itself."""
        return isinstance(self.host, LeasedHost)


class _Table:
    """One table of the file: hands values out by name and type, and collects complaints instead of raising."""

    def __init__(self, values: Mapping[str, Any], path: str, complaints: list[str]) -> None:
        self._left = dict(values)
        self._path = path
        self._complaints = complaints

    def complain(self, key: str, problem: str) -> None:
        self._complaints.append(f"{(self._path + key).removesuffix('.')} {problem}")

    def string(self, key: str, *, required: bool = False) -> str:
        value = self._left.pop(key, None)
        if value is None:
            if required:
                self.complain(key, "is missing")
            return ""
        if not isinstance(value, str) or not value.strip() or any(ord(c) < 32 or ord(c) == 127 for c in value):
            self.complain(key, "must be a text that isn't empty and has no control characters")
            return ""
        return value

    def number(self, key: str, default: int, low: int, high: int) -> int:
        value = self._left.pop(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self.complain(key, f"must be a whole number from {low} to {high}, not {value!r}")
            return default
        return value

    def strings(self, key: str) -> tuple[str, ...] | None:
        value = self._left.pop(key, None)
        if value is None:
            return None
        if not isinstance(value, list) or not value or not all(isinstance(v, str) and "\0" not in v for v in value):
            self.complain(key, "must be a list of texts that isn't empty")
            return None
        return tuple(value)

    def table(self, key: str) -> _Table | None:
        value = self._left.pop(key, None)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.complain(key, "must be a table")
            return None
        return _Table(value, f"{self._path}{key}.", self._complaints)

    def tables(self, key: str) -> Iterable[_Table]:
        value = self._left.pop(key, None)
        if not isinstance(value, list) or not value or not all(isinstance(v, dict) for v in value):
            self.complain(key, f"is missing: write [[{key}]] with vendor and model")
            return ()
        return [_Table(v, f"{self._path}{key}[{i}].", self._complaints) for i, v in enumerate(value)]

    def rest(self) -> dict[str, Any]:
        left, self._left = self._left, {}
        return left

    def end(self) -> None:
        for key in sorted(self._left):
            self.complain(key, "is unknown")


def read(path: Path, *, rank: int = 0) -> Manifest:
    """The manifest in a file. ManifestError names every problem of it at once."""
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
        if len(text) > _MAX_BYTES:
            raise ManifestError(f"the file is larger than {_MAX_BYTES} bytes")
        document = tomllib.loads(text.decode("utf-8"))
    except OSError as error:
        raise ManifestError(f"the file can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"the file is not UTF-8: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ManifestError(f"the file is not TOML: {error}") from error
    return parse(document, folder=path.resolve().parent, origin=str(path), rank=rank)


def parse(document: Mapping[str, Any], *, folder: Path, origin: str, rank: int = 0) -> Manifest:
    """The manifest in a parsed TOML document; relative paths are relative to `folder`."""
    complaints: list[str] = []
    top = _Table(document, "", complaints)
    name = top.string("name", required=True)
    if name and not _NAME.fullmatch(name):
        top.complain("name", f"must be letters, digits, dots, dashes and underscores, not {name!r}")
    version = top.string("version", required=True)
    serves = _pairs(top.tables("serves"), complaints)
    environment: tuple[tuple[str, str], ...] = ()
    host: PythonHost | CommandHost | EndpointHost | None = None
    table = top.table("host")
    if table is None:
        top.complain("host", "is missing: write [host] with one of class, command, endpoint")
    else:
        environment = _environment(table)
        host = _host(table, folder)
        table.end()
    limits = _limits(top)
    top.end()
    if complaints or host is None:
        raise ManifestError("; ".join(complaints))
    return Manifest(name, version, serves, host, Source.MANIFEST, origin, rank, limits, folder, environment)


def is_class(text: str) -> bool:
    """Whether it is written as module:Class."""
    return _CLASS.fullmatch(text) is not None


def _pairs(tables: Iterable[_Table], complaints: list[str]) -> tuple[Pair, ...]:
    pairs: list[Pair] = []
    for table in tables:
        pair = Pair(table.string("vendor", required=True), table.string("model", required=True))
        table.end()
        for key, value in (("vendor", pair.vendor), ("model", pair.model)):
            if value != value.strip() or len(value) > 255:
                table.complain(key, "must not begin or end with a space, nor be longer than 255 characters")
        if pair in pairs:
            complaints.append(f"serves names {pair} twice")
        pairs.append(pair)
    return tuple(pairs)


def _host(table: _Table, folder: Path) -> PythonHost | CommandHost | EndpointHost | None:
    driver_class, command, endpoint = table.string("class"), table.strings("command"), table.string("endpoint")
    python, tls = table.string("python"), table.table("tls")
    given = [key for key, value in (("class", driver_class), ("command", command), ("endpoint", endpoint)) if value]
    if len(given) != 1:
        table.complain("", f"must have exactly one of class, command, endpoint; it has {' and '.join(given) or 'none'}")
        return None
    if python and not driver_class:
        table.complain("python", "goes with class only")
    if tls is not None and not endpoint.startswith("tcp://"):
        table.complain("tls", "goes with a tcp endpoint only")
    if driver_class:
        in_file = _CLASS_IN_FILE.fullmatch(driver_class)
        if in_file is not None:
            driver_class = f"{folder / in_file[1]}:{in_file[2]}"
        elif not is_class(driver_class):
            table.complain("class", f"must be module:Class or file.py:Class, not {driver_class!r}")
        return PythonHost(driver_class, _program(python, folder) if python else "")
    if command:
        return CommandHost((_program(command[0], folder), *command[1:]))
    return _endpoint(table, endpoint, tls, folder)


def _program(path: str, folder: Path) -> str:
    """A program with a slash in its name is a file, relative to the manifest; one without is looked up in PATH."""
    return str(folder / path) if "/" in path else path


def _endpoint(table: _Table, endpoint: str, tls: _Table | None, folder: Path) -> EndpointHost:
    files: TlsFiles | None = None
    if endpoint.startswith("unix:"):
        if not endpoint.removeprefix("unix:").removeprefix("//").startswith("/"):
            table.complain("endpoint", f"must name the socket by its whole path (unix:///run/x.sock), not {endpoint!r}")
    elif endpoint.startswith("tcp://"):
        host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
            table.complain("endpoint", f"must be tcp://HOST:PORT, not {endpoint!r}")
        elif ":" in host and not bracketed:
            table.complain("endpoint", "must have an IPv6 address in brackets: tcp://[::1]:PORT")
        if tls is None:
            table.complain("tls", "is missing: a tcp endpoint needs [host.tls] with ca, cert and key")
        else:
            ca, cert, key = (tls.string(part, required=True) for part in ("ca", "cert", "key"))
            files = TlsFiles(folder / ca, folder / cert, folder / key, tls.string("server_name"))
            tls.end()
    else:
        table.complain("endpoint", f"must begin with unix:// or tcp://, not {endpoint!r}")
    return EndpointHost(endpoint, files)


def _environment(table: _Table) -> tuple[tuple[str, str], ...]:
    given = table.table("environment")
    if given is None:
        return ()
    pairs = []
    for key, value in given.rest().items():
        if not _VARIABLE.fullmatch(key) or key.startswith("DELPHIS_"):
            given.complain(key, "is not a name that a manifest may set")
        elif not isinstance(value, str) or "\0" in value:
            given.complain(key, "must be a text")
        else:
            pairs.append((key, value))
    return tuple(sorted(pairs))


def _limits(top: _Table) -> Limits:
    table = top.table("limits")
    if table is None:
        return Limits()
    default = Limits()
    limits = Limits(
        memory_mb=table.number("memory_mb", default.memory_mb, 64, 1 << 20),
        open_files=table.number("open_files", default.open_files, 64, 1 << 20),
        cpu_percent=table.number("cpu_percent", default.cpu_percent, 0, 100_000),
    )
    table.end()
    return limits
