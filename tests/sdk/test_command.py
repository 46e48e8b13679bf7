"""`delphis-driver run`, for authors and containers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from delphis.sdk.command import main
from delphis.sdk.driver_file import NoSingleDriver, only_class
from tests.sdk.conftest import StartHost
from tests.sdk.hosts import REPO, Host, items, target, wait_for

COMMAND = str(Path(sys.executable).parent / "delphis-driver")
SAMPLE = "drivers/sample_vendor"


@pytest.mark.parametrize(
    "what", [SAMPLE, f"{SAMPLE}/driver.toml", f"{SAMPLE}/driver.py", f"{SAMPLE}/driver.py:SampleDriver"]
)
def test_run(start_host: StartHost, what: str) -> None:
    host: Host = start_host("", command=(COMMAND, "run", what))
    info = host.info()
    assert info.load_error == ""
    assert len(items(host.list_volumes(target()))) == 4
    if what.endswith((".py", "Driver")):
        assert info.name == "local.driver"
    else:
        assert (info.name, info.version) == ("dev.delphis.sample-vendor", "0.1.0")
        assert [(pair.vendor, pair.model) for pair in info.serves] == [("sample_vendor", "sample_model")]
    assert host.terminate() == 0


def test_run_finds_packages_of_drivers(start_host: StartHost) -> None:
    host: Host = start_host("", command=(COMMAND, "run", "drivers/fake_storage"))
    assert host.info().load_error == ""


def test_run_a_program(start_host: StartHost, tmp_path: Path) -> None:
    (tmp_path / "host").symlink_to(sys.executable)
    words = ["./host", "-m", "delphis.sdk.host", "--class", f"{REPO / SAMPLE / 'driver.py'}:SampleDriver"]
    (tmp_path / "driver.toml").write_text(
        "name = 'com.example.program'\nversion = '3'\nserves = [{vendor = 'a', model = 'b'}]\n"
        f"[host]\ncommand = {words}\nenvironment = {{ PYTHONPATH = '{':'.join(filter(None, sys.path))}' }}\n"
    )
    host: Host = start_host("", command=(COMMAND, "run", str(tmp_path)))
    info = host.info()
    assert (info.name, info.version, info.load_error) == ("com.example.program", "3", "")
    assert [(pair.vendor, pair.model) for pair in info.serves] == [("a", "b")]
    assert host.terminate() == 0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("class A(sdk.StorageDriver): ...", "A"),
        ("from delphis.sdk import StorageDriver as Base\nclass A(Base): ...", "A"),
        ("class A(StorageDriver): ...\nclass B(A): ...", "B"),
        ("class A(StorageDriver): ...\nclass B(Mixin, A): ...\nclass C(A): ...", "has the drivers B, C"),
        ("class A(Other): ...", "has no subclass"),
    ],
    ids=["qualified", "renamed", "helper", "several", "none"],
)
def test_the_one_driver_of_a_file(tmp_path: Path, text: str, found: str) -> None:
    file = tmp_path / "driver.py"
    file.write_text(text)
    if found.isalpha():
        assert only_class(file) == found
        return
    with pytest.raises(NoSingleDriver, match=found):
        only_class(file)


def test_run_without_an_endpoint_makes_a_socket_and_removes_it() -> None:
    process = subprocess.Popen([COMMAND, "run", SAMPLE], cwd=REPO, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "the driver dev.delphis.sample-vendor serves at unix:///" in line
        socket = Path(line.rpartition("unix://")[2].strip())
        wait_for("the socket", socket.exists)
        process.terminate()
        assert process.wait(60) == 0
        assert not socket.parent.exists()
        process.stderr.close()
    finally:
        process.kill()
        process.wait(60)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("absent", "There is no file or folder absent"),
        ("tests/bad_drivers", "driver.toml can't be read"),
        ("tests/bad_drivers/no_driver.py", "has no subclass of StorageDriver"),
        ("tests/sdk/drivers.py", "name the class"),
        ("Makefile", "can't be read as Python"),
    ],
)
def test_what_can_not_be_run(
    what: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPO)
    with pytest.raises(SystemExit) as ended:
        main(["run", what])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ("name = ", "is no TOML"),
        ("version = '1'", "lacks 'name'"),
        ("name = 'x'\nserves = 3\n[host]\nclass = 'a:B'", "must have name"),
        ("name = 'x'\n[[serves]]\nvendor = 'a'\nmodel = 'b'\n[host]\nendpoint = 'unix:///x'", "lacks 'class'"),
        ("name = 'x'\n[[serves]]\nvendor = 'a'\nmodel = 'b'\n[host]\ncommand = ['x']", "lacks 'version'"),
        (
            "name = 'x'\nversion = '1'\nserves = [{vendor = 'a', model = 'b'}]\n[host]\ncommand = ['./x']",
            "x can't be run: No such file or directory",
        ),
    ],
)
def test_manifests_that_can_not_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], manifest: str, said: str
) -> None:
    (tmp_path / "driver.toml").write_text(manifest)
    with pytest.raises(SystemExit):
        main(["run", str(tmp_path)])
    assert said in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("delphis-driver ")
