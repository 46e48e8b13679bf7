"""The remote command line, as a process against a server on a real socket."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from delphis.cli.commands.drivers import print_driver
from delphis.inventory.v1 import job_pb2
from delphis.registry.v1 import registry_pb2
from delphis.type.v1 import access_pb2, storage_pb2

from .conftest import TOKEN, Answer, Server, delphis, quick


def call(server: Server, *arguments: str, stdin: str = "", **environment: str) -> Answer:
    return quick("--server", server.address, *arguments, stdin=stdin, **environment)


ID = "00000000-0000-0000-0000-000000000001"
UNKNOWN = "00000000-0000-0000-0000-000000000099"


def storage(number: int) -> storage_pb2.Storage:
    return storage_pb2.Storage(
        id=f"00000000-0000-0000-0000-{number:012}",
        name=f"array-{number}",
        vendor="acme",
        model="box",
        serial_number=f"S{number}",
        status=storage_pb2.STORAGE_STATUS_NORMAL,
        sync_status=storage_pb2.SYNC_STATUS_SYNCED,
        sync_outcome=storage_pb2.SYNC_OUTCOME_OK,
        total_capacity=3 * 2**40,
        used_capacity=0,
    )


def test_register_sends_what_was_given(server: Server) -> None:
    answer = call(
        server,
        *("storages", "register", "acme", "box", "--host", "127.0.0.9", "--port", "8443", "--username", "admin"),
        *("--password-stdin", "--extra", "volumes=12", "--extra", "note=a=b", "--label", "site=b", "--name", "Cellar"),
        *("--array-tls", "off"),
        stdin="s3cret\n",
    )
    assert answer.code == 0, answer.err
    [request] = server.requests
    assert (request.vendor, request.model, request.storage_name) == ("acme", "box", "Cellar")
    assert (request.rest.host, request.rest.port, request.rest.username) == ("127.0.0.9", 8443, "admin")
    assert request.rest.password == "s3cret"
    assert request.rest.tls.mode == access_pb2.TLS_MODE_OFF
    assert dict(request.extra_attributes) == {"volumes": "12", "note": "a=b"}
    assert dict(request.labels) == {"site": "b"}
    assert len(request.request_id) == 36
    assert "11111111-2222-3333-4444-555555555555" in answer.out
    assert "Cellar" in answer.out
    assert "s3cret" not in answer.out + answer.err


def test_register_from_a_file_with_secrets(server: Server, tmp_path: Path) -> None:
    access = tmp_path / "array.yaml"
    access.write_text("ssh: {host: 127.0.0.2, username: root, private_key: KEY}\nextra_attributes: {api_key: hidden}\n")
    answer = call(server, "storages", "register", "acme", "box", "--access", str(access), "--validate-only")
    assert answer.code == 0, answer.err
    [request] = server.requests
    assert request.ssh.private_key == "KEY"
    assert request.validate_only
    assert not request.HasField("rest")
    assert answer.out.startswith("Nothing was stored")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("rest: {hots: x, password: sentinel}", "hots"),
        ("rest: {password: sentinel", "neither YAML nor JSON"),
        ("- sentinel", "must be a mapping"),
        ("extra_attributes: sentinel", "extra_attributes: must be a mapping"),
        ("rest: sentinel", "rest: must be a mapping"),
        ("rest: {host: h, password: 12345678}", "rest.password: must be a text; put it in quotes"),
        ("rest: {host: h, port: a}", "rest.port: must be a TCP port, a whole number from 0 to 65535, not 'a'"),
        ("rest: {host: h, port: 65536}", "rest.port: must be a TCP port"),
        ("rest: {host: h, tls: {mode: sometimes}}", "rest.tls.mode: must be one of verify, pinned, off"),
        ("rest: {host: h, password: a, password: sentinel}", "stands twice"),
        ("sync_interval: soon", "sync_interval: must be a length of time such as 30s, 15min"),
        ("rest: {host: h, passwordFrom: {vault: sentinel}}", "rest.passwordFrom: must be {env: NAME} or {file: PATH}"),
        ("rest: {host: h, passwordFrom: {env: SENTINEL_UNSET}}", "variable SENTINEL_UNSET is not set"),
    ],
)
def test_register_says_what_is_wrong_with_a_file(server: Server, tmp_path: Path, content: str, complaint: str) -> None:
    access = tmp_path / "array.yaml"
    access.write_text(content)
    answer = call(server, "storages", "register", "acme", "box", "--access", str(access))
    assert answer.code == 2
    assert complaint in answer.err
    assert "sentinel" not in answer.err
    assert not server.requests


def test_password_is_never_read_from_a_pipe_unasked(server: Server) -> None:
    answer = call(server, "storages", "register", "acme", "box", "--host", "h", "--username", "u", stdin="oops\n")
    assert answer.code == 2
    assert "--password-stdin" in answer.err
    assert not server.requests


def test_refusal_names_reason_and_ends_with_1(server: Server) -> None:
    arguments = ("storages", "register", "acme", "box", "--host", "h", "--username", "admin", "--password-stdin")
    answer = call(server, *arguments, stdin="wrong\n")
    assert answer.code == 1
    said, todo = answer.err.splitlines()
    assert said == "error: array 10.0.0.1 refused user admin (INVALID_USERNAME_OR_PASSWORD)"
    assert todo.startswith("  try: check user and password")
    answer = call(server, "-o", "json", *arguments, stdin="wrong\n")
    assert answer.code == 1
    error = json.loads(answer.err)["error"]
    assert error.pop("hint")
    assert error == {
        "status": "FAILED_PRECONDITION",
        "reason": "INVALID_USERNAME_OR_PASSWORD",
        "message": "array 10.0.0.1 refused user admin",
        "metadata": {"host": "10.0.0.1"},
    }


def test_list_follows_pages_and_shows_capacities(server: Server) -> None:
    server.storages = [storage(number) for number in range(5)]
    answer = call(server, "storages", "list", "--filter", 'vendor = "acme"')
    assert answer.code == 0, answer.err
    assert [request.filter for request in server.requests] == ['vendor = "acme"'] * 3
    lines = [line.split() for line in answer.out.splitlines() if line.startswith("0000")]
    assert len(lines) == 5
    assert lines[0] == [storage(0).id, "array-0", "acme", "box", "S0", "normal", "ok", "3.0", "TiB", "0", "B"]


def test_list_as_json_has_the_contracts_names_and_exact_numbers(server: Server) -> None:
    server.storages = [storage(number) for number in range(3)]
    answer = call(server, "--output", "json", "storages", "list")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)["storages"]
    assert [item["serial_number"] for item in found] == ["S0", "S1", "S2"]
    assert found[0]["used_capacity"] == 0
    assert found[0]["status"] == "normal"
    assert "free_capacity" not in found[0]


def test_status_that_this_version_does_not_know_is_no_error(server: Server) -> None:
    odd = storage(1)
    odd.status = 77  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
    server.storages = [odd]
    answer = call(server, "storages", "list")
    assert answer.code == 0, answer.err
    assert "unknown" in answer.out


def test_show_says_kind_by_kind(server: Server) -> None:
    server.storages = [storage(1)]
    answer = call(server, "storages", "show", ID)
    assert answer.code == 0, answer.err
    assert "S1" in answer.out
    assert any(line.split()[:3] == ["volume", "ok", "7"] for line in answer.out.splitlines())
    missing = call(server, "storages", "show", UNKNOWN)
    assert missing.code == 5
    assert "STORAGE_NOT_FOUND" in missing.err


def test_sync_returns_at_once_or_waits(server: Server) -> None:
    server.jobs = [job_pb2.Job(job_id="job-1", storage_id="id-1", state=job_pb2.JOB_STATE_SUCCEEDED)]
    answer = call(server, "storages", "sync", ID)
    assert (answer.code, answer.out) == (0, f"Job job-1 syncs storage {ID}.\n")
    server.looks_until_done = 3
    assert call(server, "storages", "sync", ID, "--wait").code == 0
    assert server.looks_until_done == 0


def test_sync_that_was_not_complete_ends_with_1(server: Server) -> None:
    server.jobs = [
        job_pb2.Job(
            job_id="job-1",
            storage_id="id-1",
            state=job_pb2.JOB_STATE_FAILED,
            error_code="ArrayUnreachable",
            error_msg="no answer from 127.0.0.1",
        )
    ]
    answer = call(server, "storages", "sync", ID, "--wait")
    assert answer.code == 1
    assert "no answer from 127.0.0.1 (ArrayUnreachable)" in answer.err


def test_sync_waits_for_the_one_that_runs(server: Server) -> None:
    server.already_syncing = "job-5"
    server.jobs = [job_pb2.Job(job_id="job-5", storage_id="id-1", state=job_pb2.JOB_STATE_SUCCEEDED)]
    assert call(server, "storages", "sync", ID).code == 1
    assert call(server, "storages", "sync", ID, "--wait").code == 0


def test_sync_of_all_waits_for_the_batch(server: Server) -> None:
    server.jobs = [
        job_pb2.Job(job_id=f"job-{number}", storage_id=f"id-{number}", state=job_pb2.JOB_STATE_SUCCEEDED)
        for number in range(3)
    ]
    server.looks_until_done = 4
    answer = call(server, "storages", "sync", "--all", "--wait")
    assert answer.code == 0, answer.err
    assert server.requests[-1].filter == 'batch_id = "batch-1"'
    assert answer.out.count("succeeded") == 3


def test_remove_asks_or_wants_yes(server: Server) -> None:
    server.storages = [storage(1)]
    refused = call(server, "storages", "remove", ID)
    assert refused.code == 2
    assert "--yes" in refused.err
    assert not server.requests
    assert call(server, "storages", "remove", ID, "--yes").code == 0
    assert server.requests[-1].storage_id == ID


def test_drivers_list_shows_broken_ones_too(server: Server) -> None:
    answer = call(server, "drivers", "list")
    assert answer.code == 0, answer.err
    assert "acme box (in use, conflicts with dev.other)" in answer.out
    assert "no module named pyacme\n" in answer.out
    assert "Traceback" not in answer.out  # which `drivers show` has
    assert "load_failed" in answer.out
    assert "Traceback" in call(server, "--output", "json", "drivers", "list").out


def test_a_traceback_is_shown_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    error = 'no module named pyacme\nTraceback (most recent call last):\n  File "box.py"\x1b[0m'
    print_driver(registry_pb2.Driver(name="dev.acme.old", error=error))
    *_, why, empty, first, second = capsys.readouterr().out.splitlines()
    assert why.split() == ["Why:", "no", "module", "named", "pyacme"]
    assert (empty, first, second) == ("", "Traceback (most recent call last):", '  File "box.py"\\x1b[0m')


def test_driver_says_what_it_wants_to_know(server: Server) -> None:
    answer = call(server, "drivers", "restart", "dev.acme.box")
    assert answer.code == 0, answer.err
    assert "extra_attributes.pod  yes       a        The pod to look at." in answer.out


def test_method_that_the_server_lacks_is_explained(server: Server) -> None:
    answer = call(server, "drivers", "show", "dev.acme.box")
    assert answer.code == 1
    assert "may be older" in answer.err


def test_token_comes_from_environment_or_file(server: Server, tmp_path: Path) -> None:
    server.wants_token = True
    without = call(server, "storages", "list")
    assert without.code == 4
    assert "--token-file" in without.err
    assert ".;" not in without.err
    assert call(server, "storages", "list", DELPHIS_TOKEN=TOKEN).code == 0
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    assert call(server, "--token-file", str(file), "storages", "list").code == 0
    assert server.metadata[-1]["authorization"] == f"Bearer {TOKEN}"
    file.write_text("\n")
    assert call(server, "--token-file", str(file), "storages", "list").code == 2


def test_token_is_not_sent_in_clear_over_a_network(tmp_path: Path) -> None:
    answer = delphis("--server", "delphis.example:8191", "storages", "list", DELPHIS_TOKEN=TOKEN)
    assert answer.code == 2
    assert "in clear" in answer.err
    assert TOKEN not in answer.err


@pytest.fixture
def silent() -> Iterator[str]:
    """An address where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def test_server_that_is_away_or_silent_is_exit_code_3(silent: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        away = f"127.0.0.1:{unused.getsockname()[1]}"
        answer = delphis("--server", away, "storages", "list")
    assert answer.code == 3
    assert f"{away} can't be reached" in answer.err
    answer = delphis("--server", silent, "--timeout", "0.5", "storages", "list")
    assert answer.code == 3
    assert silent in answer.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["storages", "register", "acme"],
        ["storages", "register", "acme", "box"],
        ["storages", "register", "acme", "box", "--host", "h", "--extra", "novalue"],
        ["storages", "register", "acme", "box", "--host", "h", "--port", "65536"],
        ["storages", "register", "acme", "box", "--host", "h", "--protocol", "ssh", "--array-tls", "off"],
        ["storages", "sync"],
        ["storages", "sync", "id", "--all"],
        ["--output", "xml", "storages", "list"],
        ["--timeout", "0", "storages", "list"],
        ["--server", "http://127.0.0.1:8191", "storages", "list"],
        ["--server", "delphis.example", "storages", "list"],
        ["--context", "none", "storages", "list"],
        ["storages", "list", "--limit", "1", "--all"],
        ["storages", "list", "--columns", "name,colour"],
        ["storages", "list", "-o", "xml"],
        ["storages", "update", "x"],
        ["volumes", "list", "--columns", ","],
        ["frobnicate"],
    ],
)
def test_wrong_command_lines_end_with_2(arguments: list[str]) -> None:
    server = () if {"--server", "--context"} & set(arguments) else ("--server", "127.0.0.1:1")
    answer = quick(*server, *arguments)
    assert answer.code == 2, answer
    assert "Traceback" not in answer.err


def test_only_what_is_needed_is_imported() -> None:
    program = (
        "import sys, delphis.cli.main as main; "
        "main.delphis.get_command(None, 'storages' if sys.argv[1] == 'remote' else 'nothing'); "
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    for what, forbidden in (("remote", {"services", "rich", "yaml"}), ("none", {"services", "rich", "grpc", "google"})):
        done = subprocess.run([sys.executable, "-c", program, what], capture_output=True, text=True, check=True)
        assert not forbidden & set(done.stdout.split()), what
