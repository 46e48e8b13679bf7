"""`delphis-driver check`, as its users call it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from delphis.sdk.certificates import Authority, Party, make
from delphis.sdk.conformance import all_checks
from delphis.sdk.conformance.command import check
from tests.conformance.support import BAD, HERE, REPO

SAMPLE = str(REPO / "drivers" / "sample_vendor")
FAKE_ARRAY = str(HERE / "arrays" / "fake_storage.yaml")
LIE = """
access:
  rest: {host: 127.0.0.9, port: 443, username: monitor, password: {env: LIE_PASSWORD}}
  extra_attributes: {bad: duplicates}
"""
SOME = ("--only", "lists.ids-*", "--only", "storage.read", "--only", "access.wrong-credentials")


def run(*words: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a process."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("delphis-driver")), "check", *words],
        cwd=home or REPO,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A driver that names resources twice, and its array."""
    monkeypatch.setenv("LIE_PASSWORD", "from-the-environment")
    array = tmp_path / "array.yaml"
    array.write_text(LIE)
    return [str(BAD / "lie.py"), "--array", str(array), *SOME]


def test_as_a_process() -> None:
    done = run(SAMPLE, "--only", "storage.*")
    assert (done.returncode, done.stderr) == (0, "")
    assert "ok        storage.read              GetStorage logs in" in done.stdout
    assert "not run   storage.second            the array file has no `second`" in done.stdout
    assert "PASSED: dev.delphis.sample-vendor 0.1.0, served by delphis-driver-sdk" in done.stdout
    assert "4 passed, 0 failed, 0 failed as expected, 1 not run" in done.stdout
    assert (
        "check"
        in subprocess.run(
            [str(Path(sys.executable).with_name("delphis-driver")), "--help"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


def test_a_failure_in_all_formats(lie: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    junit, file = tmp_path / "report.xml", tmp_path / "report.json"
    assert check([*lie, "--junit", str(junit), "--json", str(file)]) == 1
    text = capsys.readouterr().out
    assert "FAILED    lists.ids-unique          1 problem" in text
    assert "- 100 native ids stand in it more than once, such as '1'." in text
    assert "at: ListVolumes" in text
    assert "NOT PASSED: local.lie 0" in text
    document = json.loads(file.read_text())
    found = {each["id"]: each for each in document["checks"]}
    assert not document["passed"]
    assert found["lists.ids-unique"]["problems"][0]["where"] == "ListVolumes"
    assert found["storage.read"]["outcome"] == "passed"
    suite = ElementTree.parse(junit).getroot()[0]
    assert (suite.get("name"), suite.get("failures"), suite.get("tests")) == ("local.lie", "2", str(len(found)))
    case = next(each for each in suite if each.get("name") == "lists.ids-unique")
    assert case.get("classname") == "lists"
    assert "ListVolumes" in (case[0].text or "")
    assert "from-the-environment" not in text + file.read_text() + junit.read_text()


def test_json_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert check([SAMPLE, "--only", "identity.names", "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["driver"]["name"] == "dev.delphis.sample-vendor"
    assert document["counts"] == {"passed": 1, "failed": 0, "failed as expected": 0, "not run": 0}


def test_expected_failures(lie: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = tmp_path / "expected.toml"
    expected.write_text('"lists.ids-unique" = "firmware 3 says everything twice"\n')
    junit = tmp_path / "report.xml"
    arguments = [*lie, "--skip", "access.*", "--expected", str(expected), "--junit", str(junit)]
    assert check(arguments) == 0
    text = capsys.readouterr().out
    assert "expected  lists.ids-unique          firmware 3 says everything twice" in text
    suite = ElementTree.parse(junit).getroot()[0]
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    expected.write_text('"storage.read" = "it will"\n"lists.ids-unique" = "as above"\n')
    assert check(arguments) == 1
    assert "It passes, though it was expected to fail: it will" in capsys.readouterr().out


def test_the_list_of_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(all_checks())
    documented = (REPO / "docs" / "conformance.md").read_text()
    missing = [name for name, each in all_checks().items() if f"| `{name}` | {each.demand} |" not in documented]
    assert not missing, "docs/conformance.md lists every check with its demand"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.yaml", "access: {rest: {password: in clear}}", "access.rest.password is a secret: write {env: NAME}"),
        ("b.yaml", "access: {rest: {colour: red}}", "access.rest.colour: there is no such field; known are host, port"),
        (
            "c.yaml",
            "access: {rest: {password: {env: NOT_SET_ANYWHERE}}}",
            "environment variable NOT_SET_ANYWHERE is not",
        ),
        ("d.yaml", "access: {rest: {port: many}}", "access.rest.port: 'many' can't be taken"),
        ("e.yaml", "access: {rest: {tls: {mode: maybe}}}", "access.rest.tls.mode: 'maybe' can't be taken"),
        ("f.yaml", "acces: {}", "known are access, second, wrong"),
        ("g.yaml", "makes_no_connection: sometimes", "makes_no_connection must be true or false"),
        ("h.yaml", "a: [", "is no YAML"),
        ("i.json", "{", "is no JSON"),
        ("j.toml", "a = ", "is no TOML"),
        ("k.json", "[]", "must be a table"),
        ("l.json", '{"access": {"rest": {"password": {"file": "absent"}}}}', "absent can't be read"),
    ],
)
def test_an_array_file_that_is_wrong(
    name: str, content: str, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(content)
    assert check([SAMPLE, "--array", str(tmp_path / name)]) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "Name what to check"),
        (["--exec", "a", "--endpoint", "unix:///b"], "give one of them"),
        (["/no/such/driver"], "There is no file or folder"),
        ([str(HERE)], "driver.toml can't be read"),
        ([str(HERE / "support.py")], "no subclass of StorageDriver"),
        (["--endpoint", "http://here"], "An endpoint is unix:///path or tcp://host:port"),
        ([SAMPLE, "--only", "lists.colour"], "There is no check 'lists.colour'"),
        ([SAMPLE, "--expected", str(HERE / "traps.yaml")], "there is no check 'traps'"),
        ([SAMPLE, "--traps", FAKE_ARRAY], "must have a list `traps`"),
        ([SAMPLE, "--pass-env", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE is not set"),
        ([SAMPLE, "--tls-ca", "x"], "TLS needs --endpoint"),
    ],
)
def test_what_can_not_be_checked(words: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = check(words)
    printed = capsys.readouterr()
    assert code == 2
    assert problem in printed.err


def test_a_program_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert check(["--exec", "/no/such/program", "--only", "service.ready"]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "The host ended before it was ready: exit code 127" in printed
    assert "can't run /no/such/program: No such file or directory" in printed


def test_a_host_over_tls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = tmp_path / "core", tmp_path / "driver"
    make([Party("delphis-core", ours, is_core=True), Party("localhost", theirs)], Authority(datetime.now(UTC)))
    command = [sys.executable, "-m", "delphis.sdk.host", "--driver", "a.b", "--class"]
    process = subprocess.Popen(
        [*command, "drivers.sample_vendor.driver:SampleDriver"],
        cwd=REPO,
        env={
            "DELPHIS_DRIVER_ENDPOINT": "tcp://127.0.0.1:0",
            "DELPHIS_DRIVER_VERSION": "1",
            "DELPHIS_DRIVER_SERVES": '[{"vendor": "a", "model": "b"}]',
            "DELPHIS_DRIVER_TLS_CA": str(theirs / "ca.pem"),
            "DELPHIS_DRIVER_TLS_CERT": str(theirs / "tls.pem"),
            "DELPHIS_DRIVER_TLS_KEY": str(theirs / "tls.key"),
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        endpoint = next(line.split()[-1] for line in process.stderr if "serves at" in line)
        files = [
            "--tls-ca",
            str(ours / "ca.pem"),
            "--tls-cert",
            str(ours / "tls.pem"),
            "--tls-key",
            str(ours / "tls.key"),
        ]
        some = ["--only", "service.*", "--only", "lists.*", "--only", "process.drain", "--tls-server-name", "localhost"]
        assert check(["--endpoint", endpoint, *files, *some]) == 0
        assert "not run   process.drain             it needs a host that the kit starts" in capsys.readouterr().out
        process.terminate()
        assert process.wait(60) == 0
