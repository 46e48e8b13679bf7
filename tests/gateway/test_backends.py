"""Putting a service of one's own behind the gateway: options, and a real process that comes, goes and changes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway import backends
from gateway.backends import BackendAddress
from services.app.failure import StartFailure
from tests.gateway.support import TIMEOUT
from tests.support.up import DELPHIS, core_alone, up, wait_for

BOOK = "/library/shelves/1/books/2"
REPO = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def library(port: int, *more: str) -> Iterator[subprocess.Popen[str]]:
    """The service, in a process of its own."""
    command = [sys.executable, "-m", "tests.gateway.library", f"127.0.0.1:{port}", *more]
    process = subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{port}\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=TIMEOUT)


def test_a_service_comes_goes_and_comes_back_as_another(tmp_path: Path) -> None:
    port = free_port()
    options = ("--backend", f"library=127.0.0.1:{port}", "--auth", "none")
    with up(tmp_path, *options, command=("serve", "gateway")) as gateway:
        early = gateway.ask("GET", BOOK)
        assert (early.status, early.json["error_code"]) == (503, "ServiceUnavailable")
        assert gateway.ask("GET", "/readyz").json["error_args"] == ["It has not been reached yet."]
        with library(port) as process:
            wait_for("the service's paths", lambda: gateway.ask("GET", BOOK).status == 200)
            assert gateway.get(BOOK)["pageCount"] == "0"
            assert gateway.get("/readyz") == {"status": "ready", "backends": ["library"]}
            assert "acme.library.v1.Library" in gateway.get("/v1")["services"]
            stream = gateway.ask("GET", "/library/books:follow")
            assert [json.loads(line)["result"]["name"] for line in stream.text.splitlines()] == ["n", "n"]
            burnt = gateway.ask("GET", "/library/shelves/1/books/burnt")
            assert (burnt.status, burnt.json["code"], burnt.json["message"]) == (400, 9, "It burnt.")
            unknown = {"@type": "type.googleapis.com/acme.Unknown", "value": "AQ=="}
            assert burnt.json["details"] == [unknown]
            process.send_signal(signal.SIGKILL)
            process.wait(TIMEOUT)
            gone = gateway.ask("GET", BOOK)
            assert (gone.status, gone.json["code"]) == (503, 14), "its paths are still known"
            assert gateway.ask("GET", "/readyz").status == 503
            assert gateway.ask("GET", "/healthz").status == 200
        with library(port, "more"):
            # Nothing is asked of it meanwhile: that the connection was lost makes the gateway look again.
            wait_for("the new path", lambda: "/library/{name=shelves/*}:burn" in gateway.ask("GET", "/v1").text)
            assert gateway.ask("POST", "/library/shelves/1:burn", {}).status == 200
            assert gateway.get(BOOK)["name"] == "n"


def test_beside_the_core(tmp_path: Path) -> None:
    port = free_port()
    with library(port) as process, core_alone(tmp_path, "--backend", f"library=127.0.0.1:{port}") as delphis:
        assert delphis.get(BOOK)["name"] == "n"
        assert delphis.get("/v1/storages")["storages"] == []
        assert delphis.get("/readyz") == {"status": "ready", "backends": ["core", "library"]}
        process.send_signal(signal.SIGKILL)
        process.wait(TIMEOUT)
        without = delphis.get("/readyz")
        assert (without["backends"], list(without["away"])) == (["core"], ["library"]), "the core serves all the same"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--backend", "127.0.0.1:1"), "is not NAME=ADDRESS"),
        (("--backend", "Lib=127.0.0.1:1"), "is not NAME=ADDRESS"),
        (("--backend", "lib=127.0.0.1"), "HOST:PORT"),
        (("--backend", "lib="), "is not NAME=ADDRESS"),
        (("--backend", "core=127.0.0.1:1"), "names are given once"),
        (("--backend", "a=127.0.0.1:1", "--backend", "a=127.0.0.1:2"), "names are given once"),
        (("--backend-ca", "a=/dev/null"), "no --backend is called a"),
        (("--backend", "a=127.0.0.1:1", "--backend-ca", "a=/nonexistent"), "there is no file"),
    ],
)
def test_options_that_are_none(options: tuple[str, ...], says: str) -> None:
    given: dict[str, list[str]] = {"--backend": [], "--backend-ca": []}
    for name, value in zip(options[::2], options[1::2], strict=True):
        given[name].append(value)
    with pytest.raises(StartFailure, match=says):
        backends.parse(given["--backend"], given["--backend-ca"], core=None)


@pytest.mark.parametrize("command", ["serve gateway", "serve core", "up"])
def test_commands_refuse_them(command: str, tmp_path: Path) -> None:
    folder = () if command == "serve gateway" else ("--data-dir", str(tmp_path))
    arguments = [DELPHIS, *command.split(), "--http-listen", "127.0.0.1:0", *folder, "--backend", "127.0.0.1:1"]
    ended = subprocess.run(arguments, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert (ended.returncode, "is not NAME=ADDRESS" in ended.stderr) == (2, True), ended
    assert "Traceback" not in ended.stderr


def test_nothing_to_serve() -> None:
    ended = subprocess.run([DELPHIS, "serve", "gateway"], capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert (ended.returncode, "nothing to serve" in ended.stderr) == (2, True)


@pytest.mark.parametrize(
    ("target", "ca", "tells"),
    [
        ("127.0.0.1:1", None, False),
        ("unix:/run/x", None, False),
        ("library.example:1", "ca.pem", False),
        ("library.example:1", None, True),
        ("192.0.2.1:1", None, True),
    ],
)
def test_tokens_in_plain_text_are_warned_of(target: str, ca: str | None, tells: bool) -> None:
    assert BackendAddress("x", target, ca).tells_tokens is tells


def test_order() -> None:
    core = BackendAddress("core", "127.0.0.1:1")
    found = backends.parse(["b=127.0.0.1:2", "a=unix:/x"], [], core=core)
    assert [(one.name, one.target) for one in found] == [
        ("core", "127.0.0.1:1"),
        ("b", "127.0.0.1:2"),
        ("a", "unix:/x"),
    ]
    with pytest.raises(StartFailure):
        backends.parse(["core=127.0.0.1:2"], [], core=None)
