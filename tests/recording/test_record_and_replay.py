"""`delphis-driver record` and `simulate`, with a driver and an array of our own, as processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from delphis.sdk import Context, errors
from delphis.sdk.conformance import array as arrays
from delphis.sdk.redaction import spellings_of
from delphis.sdk.testing.pytest_plugin import delphis_simulate
from tests.recording.box_driver import BoxDriver
from tests.recording.boxes import PASSWORD, SERIAL, USER, WWN, Box

DRIVER = Path(__file__).with_name("box_driver.py")
# Installed by the wheel; here the plugin may not be loaded.
__all__ = ["delphis_simulate"]

PROGRAM = (sys.executable, "-c", "from delphis.sdk.command import main; main()")


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *map(str, words)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextlib.contextmanager
def simulated(*words: object) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The command, and the first line that it prints."""
    process = subprocess.Popen(
        [*PROGRAM, "simulate", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line, process.communicate(timeout=60)[1]
        yield line, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def array_file(path: Path, box: Box, **more: Any) -> Path:
    rest = {"host": "127.0.0.1", "port": box.port, "username": USER, "password": {"env": "BOX_PASSWORD"}}
    path.write_text(json.dumps({"access": {"rest": {**rest, "tls": {"plaintext": True}}, **more}}))
    return path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Path, Box], None, None]:
    """A recording of a box, and the box."""
    folder = tmp_path_factory.mktemp("recorded")
    with Box() as box:
        done = run(
            *("record", DRIVER, "--array", array_file(folder / "array.json", box), "--into", folder / "box"),
            *("--replace", "data"),
            BOX_PASSWORD=PASSWORD,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "ListVolumes: read" in done.stdout
        assert PASSWORD not in done.stdout + done.stderr
        yield folder / "box", box


def everything(folder: Path) -> str:
    return "\n".join(f"{path.name}\n{path.read_text()}" for path in sorted(folder.iterdir()))


def test_nothing_private_reaches_the_disk(recorded: tuple[Path, Box]) -> None:
    folder, box = recorded
    text = everything(folder)
    tokens = [request.headers["x-box-token"] for request in box.requests("GET")]
    assert tokens
    for private in (SERIAL, USER, PASSWORD, WWN[:-2], "10.20.30.40", "acme", "prod-array", *tokens):
        for spelling in spellings_of(private):
            assert spelling not in text, private
    assert "6.5.0.2" in text
    assert "vol-7" in text


def test_files_are_readable(recorded: tuple[Path, Box]) -> None:
    folder, _ = recorded
    index = json.loads((folder / "index.json").read_text())
    methods = [(entry["method"], entry["path"].split("/")[2]) for entry in index["entries"]]
    assert methods[0] == ("POST", "login")
    assert methods[-1] == ("DELETE", "login")
    for entry in index["entries"][:-1]:
        body = (folder / entry["response_file"]).read_text()
        assert json.dumps(json.loads(body), indent=2, ensure_ascii=False) == body
    system = json.loads((folder / index["entries"][1]["response_file"]).read_text())
    volumes = next(entry for entry in index["entries"] if "volumes" in entry["path"])
    assert volumes["path"] == f"/api/systems/{system['serialNumber']}/volumes"
    assert volumes["request_headers"]["X-Box-Token"] in index["tokens"]


def read_simulated(path: Path) -> tuple[Any, list[Any]]:
    driver = BoxDriver(arrays.read(path).access)
    context = Context("s", timeout=60)
    try:
        driver.connect(context)
        return driver.get_storage(context), list(driver.list_volumes(context))
    finally:
        driver.close()


@pytest.mark.parametrize("options", [(), ("--tls",)], ids=["http", "https"])
def test_the_driver_reads_the_recording_as_it_read_the_array(
    recorded: tuple[Path, Box], tmp_path: Path, options: tuple[str, ...]
) -> None:
    folder, box = recorded
    with simulated(folder, "--array", tmp_path / "simulated.json", *options) as (line, _):
        assert line.startswith("https://" if options else "http://")
        for _ in range(2):  # after the end of the recording its last answers are repeated
            storage, volumes = read_simulated(tmp_path / "simulated.json")
            assert storage.firmware_version == "6.5.0.2"
            assert len(storage.serial_number) == len(SERIAL)
            assert [volume.native_volume_id for volume in volumes] == [each["id"] for each in box.all_volumes]
            assert [volume.total_capacity for volume in volumes] == [each["size"] for each in box.all_volumes]
            assert len({volume.wwn for volume in volumes}) == len(volumes)
            assert all(len(volume.wwn) == len(WWN.replace(":", "")) for volume in volumes)


def test_the_simulated_array_refuses_other_logins_and_names_what_is_nearest(
    recorded: tuple[Path, Box], tmp_path: Path
) -> None:
    import requests

    folder, _ = recorded
    with simulated(folder, "--array", tmp_path / "simulated.json") as (url, process):
        wrong = arrays.read(tmp_path / "simulated.json").wrong
        assert wrong is not None
        with pytest.raises(errors.InvalidUsernameOrPassword):
            BoxDriver(wrong).connect(Context("s", timeout=60))
        assert requests.get(f"{url}/api/system", timeout=60).status_code == 401
        assert requests.get(f"{url}/api/sistem?x=1", timeout=60).status_code == 404
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert "GET /api/system: 401, since it has no header X-Box-Token" in said
    assert "GET /api/sistem?x=1: not in the recording; the nearest is GET /api/system" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["record", DRIVER, "--array", "/nowhere.json", "--into", "/tmp/x"], "/nowhere.json can't be read"),
        (["simulate", "/nowhere"], "/nowhere/index.json can't be read"),
        (["simulate", "/proc"], "can't be read"),
        (["simulate", DRIVER.parent, "--listen", "here"], "no HOST:PORT"),
    ],
    ids=["no-array", "no-folder", "no-recording", "no-port"],
)
def test_usage(words: list[object], said: str) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_record_leaves_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("kept")
    with Box() as box:
        array = array_file(tmp_path / "array.json", box)
        done = run("record", DRIVER, "--array", array, "--into", tmp_path / "mine", BOX_PASSWORD=PASSWORD)
    assert done.returncode == 2
    assert "not an empty folder" in done.stderr
    assert not box.log


def test_a_generated_simulator_as_a_process() -> None:
    import requests

    with simulated(f"{DRIVER.with_name('boxes.py')}:Box") as (url, _):
        token = requests.post(f"{url}/api/login", json={"user": USER, "password": PASSWORD}, timeout=60).json()["token"]
        system = requests.get(f"{url}/api/system", headers={"X-Box-Token": token}, timeout=60).json()
        assert system["serialNumber"] == SERIAL
    for wrong in ("boxes.py:Bax", "nowhere.py:Box", "boxes.py"):
        done = run("simulate", DRIVER.with_name(wrong))
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


def test_the_fixture(recorded: tuple[Path, Box], delphis_simulate: Any) -> None:
    import requests

    folder, _ = recorded
    server = delphis_simulate(folder)
    assert requests.get(f"{server.url}/api/system", timeout=60).status_code == 401
    assert server.log[0].status == 401
    assert delphis_simulate(Box()).url != server.url


def test_an_agent_is_recorded_and_replayed(tmp_path: Path) -> None:
    pytest.importorskip("pysnmp", reason="needs pysnmp")
    from delphis.sdk.simulation.snmp import SnmpReplay

    agent = (
        "1.3.6.1.2.1.1.1.0|4|ACME Box 7.1\n1.3.6.1.2.1.1.4.0|4|Erika Mustermann\n1.3.6.1.2.1.1.5.0|4|vault-muc-17\n"
        f"1.3.6.1.2.1.47.1.1.1.1.11.1|4|{SERIAL}\n1.3.6.1.4.1.32473.1.1|65|4294967295\n"
        "1.3.6.1.4.1.32473.1.2|64|10.20.30.40\n1.3.6.1.4.1.32473.1.3|4x|0050568a01fe\n"
    )
    driver = Path(__file__).with_name("agent_driver.py")
    community = "comm-unity-4711"

    def array(port: int, attribute: Any) -> Path:
        file = tmp_path / f"array-{port}.json"
        extra = {"snmp_port": {"env": "AGENT_PORT"}, "community": attribute}
        file.write_text(json.dumps({"access": {"rest": {"host": "127.0.0.1"}, "extra_attributes": extra}}))
        return file

    with SnmpReplay(agent, community=community) as server:
        real = server.port
        done = run(
            *("record", driver, "--array", array(real, {"env": "COMMUNITY"}), "--into", tmp_path / "box"),
            AGENT_PORT=str(real),
            COMMUNITY=community,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    text = everything(tmp_path / "box")
    for private in (community, "Mustermann", "vault-muc-17", SERIAL, "10.20.30.40", "0050568a01fe"):
        assert private not in text
    assert "ACME Box 7.1" in text
    # The driver says that the port is no secret: it stays, so that a person can change it.
    access = json.loads((tmp_path / "box" / "access.json").read_text())["access"]
    assert access["extra_attributes"] == {"snmp_port": str(real), "community": {"file": "community.secret"}}
    with simulated(tmp_path / "box") as (line, _):
        assert line.startswith("snmp://127.0.0.1:")
        port = int(line.rpartition(":")[2])
        again = run(
            *("record", driver, "--array", array(port, {"file": str(tmp_path / "box" / "community.secret")})),
            *("--into", tmp_path / "again"),
            AGENT_PORT=str(port),
        )
        assert again.returncode == 0, again.stdout + again.stderr
    oids = [line.partition("|")[0] for line in agent.splitlines()]
    replayed = (tmp_path / "again" / "array.snmprec").read_text()
    assert [line.partition("|")[0] for line in replayed.splitlines()] == oids


def test_a_recorded_ssh_session_is_replayed(tmp_path: Path) -> None:
    pytest.importorskip("paramiko", reason="needs paramiko")
    from delphis.sdk import AccessInfo
    from delphis.sdk.recording import files
    from delphis.sdk.recording.command import access_of, replacements_for
    from delphis.sdk.recording.hook import use_recorder
    from delphis.sdk.recording.tape import Tape
    from delphis.sdk.simulation.ssh import SshReplay
    from delphis.sdk.ssh import SshSession

    real = files.Recording(
        commands=(files.CommandEntry("show system", f"Serial Number: {SERIAL}\nUser: {USER}\n".encode()),),
        shell=(
            files.ShellEntry("", b"box\r\nbox:~$ "),
            files.ShellEntry("show ip", b"show ip\r\n10.20.30.40\r\nbox:~$ "),
        ),
    )

    def read(server: SshReplay, access: AccessInfo) -> tuple[str, str]:
        access.ssh.host, access.ssh.port, access.ssh.pub_key = "127.0.0.1", server.port, server.host_key
        session, context = SshSession(access.ssh), Context("s", timeout=60)
        try:
            with session.shell(context) as shell:
                shown = shell.run("show ip")
            return session.run(context, "show system").text, shown
        finally:
            session.close()

    access = AccessInfo()
    access.ssh.username, access.ssh.password = USER, PASSWORD
    tape = Tape()
    use_recorder(tape)
    try:
        with SshReplay(real, login=(USER, PASSWORD)) as server:
            system, ip = read(server, access)
    finally:
        use_recorder(None)
    assert SERIAL in system
    assert "10.20.30.40" in ip
    table = replacements_for(access)
    made, logins = access_of(access, table)
    recording = tape.recording(table, access=made)
    files.write(tmp_path / "box", replace(recording, logins=logins), {})
    text = everything(tmp_path / "box")
    for private in (SERIAL, USER, PASSWORD, "10.20.30.40"):
        assert private not in text
    again = AccessInfo()
    again.ssh.username = str(made["access"]["ssh"]["username"])
    again.ssh.password = logins["ssh.password.secret"]
    with SshReplay(files.read(tmp_path / "box")) as server:
        system, ip = read(server, again)
    assert len(system) == len(f"Serial Number: {SERIAL}\nUser: {USER}\n")
    assert "192.0.2.1" in ip
