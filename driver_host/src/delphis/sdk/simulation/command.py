"""`delphis-driver simulate`."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from delphis.sdk.recording import files
from delphis.sdk.simulation.errors import SimulationError
from delphis.sdk.simulation.replay import ReplayServer
from delphis.sdk.simulation.server import Simulator

_DEFAULT = "127.0.0.1:0"


def simulate(words: Sequence[str]) -> int:
    """Serves a simulated array until interrupted: a recording, over what was recorded, or a `Simulator` in a file."""
    parser = argparse.ArgumentParser(prog="delphis-driver simulate", description=simulate.__doc__)
    parser.add_argument(
        "folder", metavar="FOLDER", type=Path, help="a recording, or samples with an index.json; or FILE.py:Class"
    )
    parser.add_argument("--listen", metavar="HOST:PORT", default=_DEFAULT, help="for HTTP (default: %(default)s)")
    parser.add_argument("--tls", action="store_true", help="HTTPS, with a certificate made at the start")
    parser.add_argument("--ssh-listen", metavar="HOST:PORT", default=_DEFAULT, help="for SSH (default: %(default)s)")
    parser.add_argument("--snmp-listen", metavar="HOST:PORT", default=_DEFAULT, help="for SNMP (default: %(default)s)")
    parser.add_argument("--scenario", metavar="NAME", default="", help="prefer the answers of this scenario")
    parser.add_argument(
        "--array", metavar="FILE", type=Path, help="write how the simulated array is reached, for `check --array`"
    )
    given = parser.parse_args(words)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("delphis.simulation").setLevel(logging.INFO)
    for noisy in ("paramiko", "pysnmp"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        with contextlib.ExitStack() as stack:
            _start(given, stack)
            ended.wait()
    except (SimulationError, files.RecordingError) as error:
        print(f"delphis-driver simulate: {error}", file=sys.stderr)
        return 2
    return 0


def _start(given: Any, stack: contextlib.ExitStack) -> None:
    host, port = _address(given.listen)
    places: dict[str, dict[str, Any]] = {}
    lines: list[str] = []
    server: Simulator | None = None
    if given.folder.name.partition(":")[0].endswith(".py"):
        recording = files.Recording()
        server = _generated(str(given.folder))(host=host, port=port, tls=given.tls)
    else:
        recording = files.read(given.folder)
        if recording.http:
            server = ReplayServer(recording, scenario=given.scenario, host=host, port=port, tls=given.tls)
    if server is not None:
        stack.enter_context(server)
        tls: dict[str, Any] = {"plaintext": True}
        if server.certificate is not None:
            tls = {"mode": "pinned", "pinned_certificate_sha256": server.certificate.sha256}
        places["rest"] = {"host": host, "port": server.port, "tls": tls}
        pin = f" (certificate sha256 {server.certificate.sha256})" if server.certificate else ""
        lines.append(f"{server.url}{pin}")
    if recording.commands or recording.shell:
        from delphis.sdk.simulation.ssh import SshReplay  # needs paramiko

        ssh_host, ssh_port = _address(given.ssh_listen)
        ssh = stack.enter_context(SshReplay(recording, scenario=given.scenario, host=ssh_host, port=ssh_port))
        for block in [name for name in ("ssh", "cli") if name in _recorded(recording)] or ["ssh"]:
            key = {"pub_key": ssh.host_key} if block == "ssh" else {}
            places[block] = {"host": ssh_host, "port": ssh.port, **key}
        lines.append(f"ssh://{ssh_host}:{ssh.port} ({ssh.host_key})")
    if recording.snmp:
        from delphis.sdk.simulation.snmp import SnmpReplay  # needs pysnmp

        snmp_host, snmp_port = _address(given.snmp_listen)
        snmp = stack.enter_context(SnmpReplay(recording.snmp, host=snmp_host, port=snmp_port))
        lines.append(f"snmp://{snmp_host}:{snmp.port}")
    if not lines:
        raise SimulationError(f"{given.folder} holds nothing that could be served.")
    if given.array is not None:
        _write_array(given.array, given.folder, recording, places)
    # Last: who waits for these lines may use the file.
    print("\n".join(lines), flush=True)


def _generated(place: str) -> type[Simulator]:
    """The class of a simulator in a file."""
    file, _, name = place.partition(":")
    specification = importlib.util.spec_from_file_location(Path(file).stem, file)
    if not name or specification is None or specification.loader is None:
        raise SimulationError(f"{place}: write FILE.py:Class.")
    module = importlib.util.module_from_spec(specification)
    sys.modules[module.__name__] = module
    sys.path.insert(0, str(Path(file).resolve().parent))
    try:
        specification.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001 - whatever the file raises
        raise SimulationError(f"{file} can't be loaded: {type(error).__name__}: {error}.") from None
    found = getattr(module, name, None)
    if not (isinstance(found, type) and issubclass(found, Simulator)):
        raise SimulationError(f"{file} has no subclass of Simulator that is called {name}.")
    return found


def _recorded(recording: files.Recording) -> dict[str, Any]:
    return dict(recording.access.get("access", {}))


def _write_array(path: Path, folder: Path, recording: files.Recording, places: dict[str, dict[str, Any]]) -> None:
    """The recorded access info, at the simulator's addresses; what is secret is made up where nothing was recorded."""
    access = _recorded(recording)
    for block, place in places.items():
        made_up = {"username": "simulated", "password": {"generate": True}}
        access[block] = {**(access.get(block) or made_up), **place}
    document: dict[str, Any] = {"access": _absolute(access, folder.resolve())}
    if not recording.access:
        document["accepts_any_credentials"] = True
    try:
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SimulationError(f"{path} can't be written: {error.strerror}.") from None


def _absolute(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in table.items():
        if key == "file" and isinstance(value, str):
            made[key] = str(folder / value)
        else:
            made[key] = _absolute(value, folder) if isinstance(value, dict) else value
    return made


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise SimulationError(f"{text!r} is no HOST:PORT, such as 127.0.0.1:8443 or [::1]:8443.")
    return host.strip("[]"), int(port)
