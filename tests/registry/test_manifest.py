"""What a driver.toml may say, and what is said about one that can't be used."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from services.registry import discovery, manifest
from services.registry.errors import ManifestError
from services.registry.host_environment import command_line, environment, import_root
from services.registry.manifest import CommandHost, EndpointHost, Limits, Pair, PythonHost, Source
from services.registry.settings import HostSettings

HEAD = """
name = "dev.acme.box"
version = "1.2"
[[serves]]
vendor = "acme"
model = "box"
"""


def read(tmp_path: Path, text: str) -> manifest.Manifest:
    path = tmp_path / "drivers" / "box" / "driver.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return manifest.read(path)


def test_a_python_driver(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + '[host]\nclass = "drivers.box.driver:BoxDriver"\n[limits]\nmemory_mb = 256\n')
    assert found.name == "dev.acme.box"
    assert found.serves == (Pair("acme", "box"),)
    assert found.host == PythonHost("drivers.box.driver:BoxDriver")
    assert found.limits == Limits(memory_mb=256)
    assert found.spawned
    line = command_line(found, HostSettings(runtime_dir=tmp_path, python="/usr/bin/python3"))
    assert line == (
        *("/usr/bin/python3", "-P", "-m", "delphis.sdk.host"),
        *("--driver", "dev.acme.box", "--class", "drivers.box.driver:BoxDriver"),
    )


def test_paths_are_relative_to_the_manifest(tmp_path: Path) -> None:
    box = tmp_path.resolve() / "drivers" / "box"
    assert read(tmp_path, HEAD + '[host]\ncommand = ["./bin/driver", "-v"]').host == CommandHost(
        (str(box / "bin/driver"), "-v")
    )
    assert read(tmp_path, HEAD + '[host]\ncommand = ["java", "-jar", "x.jar"]').host == CommandHost(
        ("java", "-jar", "x.jar")
    )
    host = read(tmp_path, HEAD + '[host]\nclass = "driver.py:Box"').host
    assert host == PythonHost(f"{box}/driver.py:Box")
    host = read(tmp_path, HEAD + '[host]\nclass = "driver:Box"\npython = "venv/bin/python"').host
    assert host == PythonHost("driver:Box", str(box / "venv/bin/python"))
    tls = '[host.tls]\nca = "ca.pem"\ncert = "/etc/c.pem"\nkey = "k.pem"\nserver_name = "box"\n'
    host = read(tmp_path, HEAD + '[host]\nendpoint = "tcp://10.0.0.1:9000"\n' + tls).host
    assert isinstance(host, EndpointHost)
    assert host.target == "10.0.0.1:9000"
    assert host.tls is not None
    assert (host.tls.ca, host.tls.cert) == (box / "ca.pem", Path("/etc/c.pem"))
    for endpoint in ("unix:///run/x.sock", "unix:/run/x.sock"):
        host = read(tmp_path, HEAD + f'[host]\nendpoint = "{endpoint}"\n').host
        assert isinstance(host, EndpointHost)
        assert host.target == "unix:/run/x.sock"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "name is missing; version is missing; serves is missing"),
        ("x = [", "the file is not TOML"),
        (HEAD, "host is missing: write [host] with one of class, command, endpoint"),
        (HEAD + "[host]\n", "host must have exactly one of class, command, endpoint; it has none"),
        (HEAD + '[host]\nclass = "a:B"\ncommand = ["x"]', "it has class and command"),
        (HEAD + '[host]\nclass = "a.B"', "host.class must be module:Class or file.py:Class, not 'a.B'"),
        (HEAD + '[host]\nclass = "a:B"\nklass = 1', "host.klass is unknown"),
        ('colour = "red"\n' + HEAD + '[host]\nclass = "a:B"', "colour is unknown"),
        (HEAD + 'size = 1\n[host]\nclass = "a:B"', "serves[0].size is unknown"),
        (HEAD + '[host]\nclass = "a:B"\n[limits]\nmemory = 1', "limits.memory is unknown"),
        (HEAD + '[host]\nclass = "a:B"\n[limits]\nmemory_mb = "1"', "limits.memory_mb must be a whole number from 64"),
        (HEAD + '[host]\nclass = "a:B"\n[limits]\nmemory_mb = true', "limits.memory_mb must be a whole number"),
        (HEAD + '[[serves]]\nvendor = "acme"\nmodel = "box"\n[host]\nclass = "a:B"', "serves names acme box twice"),
        (HEAD + '[[serves]]\nvendor = "acme"\n[host]\nclass = "a:B"', "serves[1].model is missing"),
        (HEAD.replace('"box"', '" box"') + '[host]\nclass = "a:B"', "must not begin or end with a space"),
        (HEAD.replace("dev.acme.box", "a b") + '[host]\nclass = "a:B"', "name must be letters, digits"),
        (HEAD + "[host]\ncommand = []", "host.command must be a list of texts"),
        (HEAD + '[host]\ncommand = "x"', "host.command must be a list of texts"),
        (HEAD + '[host]\nendpoint = "tcp://h:1"', "host.tls is missing: a tcp endpoint needs"),
        (HEAD + '[host]\nendpoint = "tcp://h:1"\n[host.tls]\nca = "x"', "host.tls.cert is missing; host.tls.key is"),
        (HEAD + '[host]\nendpoint = "tcp://h"\n[host.tls]', "must be tcp://HOST:PORT"),
        (HEAD + '[host]\nendpoint = "tcp://::1:9\\u0660"\n[host.tls]', "must be tcp://HOST:PORT"),
        (HEAD + '[host]\nendpoint = "tcp://::1:90"\n[host.tls]', "IPv6 address in brackets"),
        (HEAD + '[host]\nendpoint = "http://h:1"', "must begin with unix:// or tcp://"),
        (HEAD + '[host]\nendpoint = "unix://x.sock"', "by its whole path"),
        (HEAD + '[host]\nclass = "a:B"\n[host.tls]', "host.tls goes with a tcp endpoint only"),
        (HEAD + '[host]\ncommand = ["x"]\npython = "y"', "host.python goes with class only"),
        (HEAD + '[host]\nclass = "a:B"\n[host.environment]\nDELPHIS_KEY = "x"', "DELPHIS_KEY is not a name that"),
        (HEAD + '[host]\nclass = "a:B"\n[host.environment]\nX = 1', "host.environment.X must be a text"),
    ],
)
def test_every_problem_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ManifestError, match=re.escape(said)):
        read(tmp_path, text)


def test_one_bad_manifest_stops_no_other(tmp_path: Path) -> None:
    read(tmp_path, HEAD + '[host]\nclass = "a:B"')
    (tmp_path / "drivers" / "bad").mkdir()
    (tmp_path / "drivers" / "bad" / "driver.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "drivers" / "huge").mkdir()
    (tmp_path / "drivers" / "huge" / "driver.toml").write_bytes(b"#" * 70_000)
    (tmp_path / "drivers" / "empty").mkdir()
    found = discovery.in_folders([tmp_path / "drivers", tmp_path / "absent"])
    assert [driver.name for driver in found.manifests] == ["dev.acme.box"]
    assert {broken.name: broken.error.split(":")[0] for broken in found.broken} == {
        "bad": "the file is not UTF-8",
        "huge": "the file is larger than 65536 bytes",
        "absent": "the folder doesn't exist",
    }


def test_entry_points_of_a_class_are_one_driver() -> None:
    points = [
        EntryPoint("acme box", "acme.driver:Box", discovery.GROUP),
        EntryPoint("acme box 2", "acme.driver:Box", discovery.GROUP),
        EntryPoint("other thing", "acme.other:Thing", discovery.GROUP),
        EntryPoint("nomodel", "acme.driver:Box", discovery.GROUP),
        EntryPoint("acme module", "acme.driver", discovery.GROUP),
    ]
    found = discovery.in_entry_points(3, points)
    assert [(driver.name, driver.serves) for driver in found.manifests] == [
        ("acme.driver.Box", (Pair("acme", "box"), Pair("acme", "box 2"))),
        ("acme.other.Thing", (Pair("other", "thing"),)),
    ]
    assert {driver.source for driver in found.manifests} == {Source.ENTRY_POINT}
    assert len(found.broken) == 2


def test_a_driver_is_imported_from_its_folder_or_one_above(tmp_path: Path) -> None:
    folder = tmp_path / "drivers" / "box"
    folder.mkdir(parents=True)
    (folder / "driver.py").touch()
    assert import_root("driver:Box", folder) == folder
    assert import_root("box.driver:Box", folder) == tmp_path / "drivers"
    assert import_root("drivers.box.driver:Box", folder) == tmp_path
    assert import_root("acme.driver:Box", folder) is None
    found = read(tmp_path, HEAD + '[host]\nclass = "box.driver:Box"\n[host.environment]\nJAVA_HOME = "/opt/java"')
    values = environment(
        found,
        HostSettings(runtime_dir=tmp_path),
        endpoint="unix:///x",
        ready_fd=7,
        inherited={"PATH": "/bin", "HOME": "/root"},
    )
    assert values["PYTHONPATH"] == str((tmp_path / "drivers").resolve())
    assert values["JAVA_HOME"] == "/opt/java"
    assert "HOME" not in values
