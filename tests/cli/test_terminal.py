"""What a person sees and does: terminals, colours, progress, Ctrl-C, pipes that close, completion."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from delphis.cli.main import REMOTE, as_command
from delphis.cli.main import delphis as root
from delphis.inventory.v1 import job_pb2
from delphis.type.v1 import storage_pb2
from tests.support.up import wait_for

from .conftest import COMMAND, Server, delphis, delphis_many, quick

ID = "00000000-0000-0000-0000-000000000001"


class Terminal:
    """The command on a terminal of its own: what it prints, and keys for it."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [COMMAND, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "160", **environment},
            start_new_session=True,
        )
        os.close(theirs)
        self.text = ""

    def read_until(self, found: Callable[[str], bool], timeout: float = 60.0) -> str:
        end = time.monotonic() + timeout
        while not found(self.text):
            assert time.monotonic() < end, self.text
            if select.select([self._ours], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self._ours, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    break
        return self.text

    def end(self) -> int:
        self.read_until(lambda _: self.process.poll() is not None)
        with contextlib.suppress(OSError):
            while select.select([self._ours], [], [], 0.1)[0]:
                self.text += os.read(self._ours, 65536).decode(errors="replace")
        os.close(self._ours)
        return self.process.wait(60)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())


def array(name: str, status: str = "NORMAL") -> storage_pb2.Storage:
    number = storage_pb2.StorageStatus.Value(f"STORAGE_STATUS_{status}")
    return storage_pb2.Storage(id=ID, name=name, vendor="acme", model="box", status=number)


def test_statuses_are_coloured_on_a_terminal_only(server: Server) -> None:
    server.storages = [
        array("good"),
        array("bad", "OFFLINE"),
    ]
    arguments = ("--server", server.address, "storages", "list")
    seen = Terminal(*arguments)
    assert seen.end() == 0
    assert "\x1b[32mnormal" in seen.text
    assert "\x1b[31moffline" in seen.text
    plain = Terminal(*arguments, NO_COLOR="1")
    assert plain.end() == 0
    assert "offline" in plain.text
    assert "\x1b[3" not in plain.text
    piped = delphis(*arguments)
    assert "\x1b" not in piped.out


def test_an_array_can_not_steer_the_terminal(server: Server) -> None:
    server.storages = [array("\x1b]0;owned\x07\u202egnp\nnext")]
    forms = ("table", "json", "yaml")
    answers = delphis_many(*[["--server", server.address, "storages", "list", "-o", form] for form in forms])
    for form, answer in zip(forms, answers, strict=True):
        assert answer.code == 0, answer.err
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", answer.out), form
    assert r"\x1b]0;owned\x07\u202egnp\x0anext" in answers[0].out
    # A file gets CSV as it is, a terminal does not.
    csv = ("--server", server.address, "storages", "list", "-o", "csv", "--columns", "name")
    assert "\x1b]0;owned" in delphis(*csv).out
    seen = Terminal(*csv)
    assert seen.end() == 0
    assert "\x1b" not in seen.text


def test_a_bar_shows_how_far_a_sync_is(server: Server) -> None:
    kinds = [
        job_pb2.KindState(kind="storage_pool", outcome=job_pb2.KIND_OUTCOME_OK),
        job_pb2.KindState(kind="volume", outcome=job_pb2.KIND_OUTCOME_RUNNING),
    ]
    server.jobs = [
        job_pb2.Job(job_id="job-1", storage_id=ID, state=job_pb2.JOB_STATE_SUCCEEDED, kinds=kinds),
    ]
    server.looks_until_done = 6
    seen = Terminal("--server", server.address, "storages", "sync", ID, "--wait")
    assert seen.end() == 0
    assert "volume" in seen.text
    assert "1/2" in seen.text


def test_a_password_is_asked_for_and_not_shown(server: Server) -> None:
    arguments = ("storages", "register", "acme", "box", "--host", "h", "--username", "u")
    seen = Terminal("--server", server.address, *arguments)
    seen.read_until(lambda text: "Password" in text)
    command_line = Path(f"/proc/{seen.process.pid}/cmdline").read_bytes()
    seen.type("sentinel-2b\n")
    assert seen.end() == 0, seen.text
    assert server.requests[-1].rest.password == "sentinel-2b"
    assert "sentinel-2b" not in seen.text
    assert b"sentinel" not in command_line


def test_a_question_that_is_denied_removes_nothing(server: Server) -> None:
    server.storages = [array("cellar")]
    seen = Terminal("--server", server.address, "storages", "remove", ID)
    seen.read_until(lambda text: "[y/N]" in text)
    seen.type("n\n")
    assert seen.end() == 1
    assert "nothing was removed" in seen.text
    assert not [request for request in server.requests if "Delete" in type(request).__name__]


@pytest.mark.parametrize("where", ["prompt", "wait"])
def test_ctrl_c_ends_with_130_and_no_traceback(server: Server, where: str) -> None:
    if where == "prompt":
        arguments = ["storages", "register", "a", "b", "--host", "h", "--username", "u"]
        seen = Terminal("--server", server.address, *arguments)
        seen.read_until(lambda text: "Password" in text)
    else:
        server.jobs = [job_pb2.Job(job_id="job-1", storage_id=ID, state=job_pb2.JOB_STATE_RUNNING)]
        seen = Terminal("--server", server.address, "jobs", "wait", "job-1")
        wait_for("look at the job", lambda: server.requests)
    os.kill(seen.process.pid, signal.SIGINT)
    assert seen.end() == 130
    assert "Traceback" not in seen.text


def test_a_reader_that_leaves_is_no_fault(server: Server) -> None:
    server.page = 100
    server.storages = [array(f"array-{number}") for number in range(3000)]
    command = [str(COMMAND), "--server", server.address, "storages", "list", "--all", "-o", "csv"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait(60)


def test_what_help_says_is_what_the_commands_say() -> None:
    for name, (_, said) in REMOTE.items():
        found = as_command(root.get_command(root.make_context("delphis", [], resilient_parsing=True), name))
        assert found.get_short_help_str(200).rstrip(".") == said.rstrip("."), name


def test_shells_complete_commands_options_and_names(server: Server) -> None:
    server.storages = [array("cellar")]

    def complete(words: str) -> set[str]:
        done = quick(
            _DELPHIS_COMPLETE="bash_complete",
            COMP_WORDS=words,
            COMP_CWORD=str(len(words.split(" ")) - 1),
            DELPHIS_SERVER=server.address,
        )
        assert done.err == ""
        return {line.partition(",")[2] for line in done.out.splitlines()}

    assert {"volumes", "volume-groups"} == complete("delphis volu")
    assert {"list", "show"} == complete("delphis volumes ")
    assert "--order-by" in complete("delphis volumes list --or")
    assert {"cellar"} == complete("delphis storages show ")
    assert {"cellar"} == complete("delphis volumes list --storage c")


def test_completion_is_printed_for_each_shell() -> None:
    answers = delphis_many(*[["completion", shell] for shell in ("bash", "zsh", "fish")])
    assert [answer.code for answer in answers] == [0, 0, 0]
    assert all("_DELPHIS_COMPLETE" in answer.out for answer in answers)
    checked = subprocess.run(["bash", "-n"], input=answers[0].out, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_version_without_a_server_is_known() -> None:
    client, short, away = delphis_many(["version", "--client"], ["--version"], ["--server", "127.0.0.1:1", "version"])
    assert (client.code, short.code, away.code) == (0, 0, 3)
    assert short.out.split()[0] == "delphis"
    assert client.out.split()[-1] in away.out


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_disk_without_room_for_the_answer(server: Server, form: str) -> None:
    server.storages = [array("box")]
    with Path("/dev/full").open("w") as full:
        command = [str(COMMAND), "--server", server.address, "storages", "list", "-o", form]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (1, "error: [Errno 28] No space left on device\n")
