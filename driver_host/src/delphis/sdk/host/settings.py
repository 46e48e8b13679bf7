"""How a host runs, read once from the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class SettingsError(Exception):
    """A setting that can't be used; the message says which and why."""


class Pair(NamedTuple):
    """A vendor and a model that the driver serves."""

    vendor: str
    model: str


@dataclass(frozen=True)
class Tls:
    """Files of PEM for mutual TLS: callers must show a certificate of `ca`."""

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True)
class HostSettings:
    """What a host is told by whoever starts it."""

    driver: str
    """Name of the driver, such as `dev.acme.box`."""
    driver_class: str
    """`module:Class` or `path/to/file.py:Class`."""
    endpoint: str
    """Where to serve: `unix:///run/x.sock` or `tcp://host:port`."""
    version: str = ""
    serves: tuple[Pair, ...] = ()
    tls: Tls | None = None
    ready_fd: int | None = None
    """The line `ready` is written here once the host serves."""
    parent_pid: int | None = None
    """The host ends when this process, its parent, has ended."""
    metrics: str | None = None
    """Where to serve Prometheus' text format: `unix:///…` or `tcp://127.0.0.1:port`."""
    threads: int = 64
    """Calls of the driver that run at a time, over all arrays."""
    array_queue: int = 64
    """Calls that may wait for one array."""
    sessions: int = 1000
    """Arrays that stay logged in; the least recently used is logged out."""
    session_idle: float = 1800.0
    """Seconds after which an unused session is logged out."""
    drain: float = 30.0
    """Seconds from SIGTERM to the end: three quarters for calls under way, the rest for logouts."""
    log_level: str = "INFO"
    log_format: str = "text"
    """`text`, or `json`: an object a line."""

    @property
    def stuck_limit(self) -> int:
        """So many stuck calls make the host ask for its replacement."""
        return max(1, min(8, self.threads // 4))


PREFIX = "DELPHIS_DRIVER_"


def from_environment(
    driver: str | None = None, driver_class: str | None = None, environment: Mapping[str, str] = os.environ
) -> HostSettings:
    """Settings from `DELPHIS_DRIVER_*`; what the command line says goes first. SettingsError where one is wrong."""

    def text(name: str) -> str | None:
        return environment.get(PREFIX + name) or None

    def number(name: str, default: float) -> float:
        value = text(name)
        try:
            result = default if value is None else float(value)
        except ValueError:
            result = -1.0
        if not 0 < result < 1e9:
            raise SettingsError(f"{PREFIX}{name} must be a number above 0, not {value!r}.")
        return result

    def needed(value: str | None, what: str) -> str:
        if value is None:
            raise SettingsError(
                f"{what} is missing. A driver host is started by Delphis, or with `delphis-driver run`."
            )
        return value

    return HostSettings(
        driver=needed(driver or text("NAME"), f"The driver's name (--driver, or {PREFIX}NAME)"),
        driver_class=needed(driver_class or text("CLASS"), f"The driver's class (--class, or {PREFIX}CLASS)"),
        endpoint=needed(text("ENDPOINT"), f"The address to serve at ({PREFIX}ENDPOINT)"),
        version=text("VERSION") or "",
        serves=_pairs(text("SERVES")),
        tls=_tls(text("TLS_CA"), text("TLS_CERT"), text("TLS_KEY")),
        ready_fd=_integer("READY_FD", text("READY_FD")),
        parent_pid=_integer("PARENT_PID", text("PARENT_PID")),
        metrics=text("METRICS"),
        threads=int(number("THREADS", 64)) or 1,
        array_queue=int(number("ARRAY_QUEUE", 64)) or 1,
        sessions=int(number("SESSIONS", 1000)) or 1,
        session_idle=number("SESSION_IDLE", 1800),
        drain=number("DRAIN", 30),
        log_level=_level(text("LOG_LEVEL")),
        log_format=_format(text("LOG_FORMAT")),
    )


def _pairs(value: str | None) -> tuple[Pair, ...]:
    if value is None:
        return ()
    try:
        return tuple(Pair(str(pair["vendor"]), str(pair["model"])) for pair in json.loads(value))
    except (ValueError, TypeError, KeyError):
        raise SettingsError(
            f'{PREFIX}SERVES must be a list such as [{{"vendor": "acme", "model": "box"}}], not {value!r}.'
        ) from None


def _tls(ca: str | None, cert: str | None, key: str | None) -> Tls | None:
    if ca is None and cert is None and key is None:
        return None
    if ca is None or cert is None or key is None:
        raise SettingsError(f"TLS needs all of {PREFIX}TLS_CA, {PREFIX}TLS_CERT and {PREFIX}TLS_KEY.")
    return Tls(Path(ca), Path(cert), Path(key))


def _integer(name: str, value: str | None) -> int | None:
    if value is None:
        return None
    if not value.isdecimal():
        raise SettingsError(f"{PREFIX}{name} must be a whole number, not {value!r}.")
    return int(value)


def _level(value: str | None) -> str:
    level = (value or "INFO").upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
        raise SettingsError(f"{PREFIX}LOG_LEVEL must be debug, info, warning, error or critical, not {value!r}.")
    return level


def _format(value: str | None) -> str:
    name = (value or "text").lower()
    if name not in {"text", "json"}:
        raise SettingsError(f"{PREFIX}LOG_FORMAT must be text or json, not {value!r}.")
    return name
