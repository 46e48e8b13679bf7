"""What is in the wheels, and that they import on the oldest and the newest of what they depend on."""

from __future__ import annotations

import re
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from .conftest import PROJECTS, REPO, Environment, NewEnvironment

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(600)]

# Runs in a foreign environment: imports every module of the wheels, and uses what generated code depends on.
IMPORT_ALL = """
import importlib, importlib.metadata, pathlib, sys, warnings
warnings.simplefilter("error")
imported = []
# What only extras bring: whoever imports such a module without the extra hears its name.
EXTRAS = {"pytest", "yaml", "paramiko", "pysnmp", "pyasn1", "cryptography", "opentelemetry"}
for distribution in ("delphis-protos", "delphis-driver-sdk", "delphis-cli", "delphis-delfin-adapter"):
    for path in importlib.metadata.files(distribution):
        # `standin` runs under another name; `template` is what a new project is made of.
        if path.suffix != ".py" or {"standin", "template", "__main__.py"} & set(path.parts):
            continue
        name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        try:
            importlib.import_module(name)
        except Exception as error:
            missing = error if isinstance(error, ModuleNotFoundError) else error.__context__
            if (getattr(missing, "name", "") or "").split(".")[0] not in EXTRAS:
                raise
            continue
        imported.append(name)

from google.protobuf import descriptor_pb2
import delphis.descriptors
from delphis.type.v1 import block_pb2, options_pb2

files = descriptor_pb2.FileDescriptorSet.FromString(delphis.descriptors.load()).file
names = {file.name for file in files}
assert "delphis/driver/v1/storage_driver.proto" in names, names
assert any(place.leading_comments for file in files for place in file.source_code_info.location)
volume = block_pb2.Volume(total_capacity=2**60)
assert block_pb2.Volume.FromString(volume.SerializeToString()) == volume
assert not volume.HasField("used_capacity")
print(len(imported), "modules")
"""


def names_of(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def requirements_of(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        parsed = Parser().parsestr(archive.read(metadata).decode())
    return [line for line in parsed.get_all("Requires-Dist", []) if "extra ==" not in line]


def test_wheels_hold_only_their_part_of_the_namespace(wheels: list[Path]) -> None:
    seen: dict[str, str] = {}
    for wheel in wheels:
        names = names_of(wheel)
        assert names
        for name in names:
            if ".dist-info/" in name:
                continue
            assert name.startswith("delphis/"), f"{wheel.name}: {name}"
            assert name != "delphis/__init__.py", wheel.name
            assert name not in seen, f"{name} is in {wheel.name} and in {seen[name]}"
            seen[name] = wheel.name


def test_every_wheel_is_typed_and_licensed(wheels: list[Path]) -> None:
    for wheel in wheels:
        names = names_of(wheel)
        packages = {name.split("/")[1] for name in names if name.startswith("delphis/") and name.endswith(".py")}
        for package in packages:
            assert f"delphis/{package}/py.typed" in names, f"{wheel.name}: {package}"
        assert any(name.endswith("/licenses/LICENSE") for name in names), wheel.name


def test_contract_is_shipped_as_proto_files_too(wheels: list[Path]) -> None:
    [protos] = [wheel for wheel in wheels if wheel.name.startswith("delphis_protos-")]
    sources = {str(path.relative_to(REPO / "protos")) for path in (REPO / "protos/delphis").rglob("*.proto")}
    assert sources
    assert sources <= set(names_of(protos))


def test_source_archives_hold_what_the_wheels_are_made_of(wheels: list[Path]) -> None:
    archives = sorted(wheels[0].parent.glob("*.tar.gz"))
    assert len(archives) == len(PROJECTS)
    for archive in archives:
        with tarfile.open(archive) as opened:
            names = opened.getnames()
        assert not any("__pycache__" in name or "/tests/" in name for name in names), archive.name


def test_wheels_import_on_the_newest_of_everything(newest: Environment) -> None:
    done = newest.run("python", "-c", IMPORT_ALL)
    assert done.code == 0, done.output


def test_wheels_import_on_the_oldest_they_allow(new_environment: NewEnvironment, wheels: list[Path]) -> None:
    """Each lower bound of each wheel, taken literally."""
    pins: dict[str, str] = {}
    for wheel in wheels:
        for requirement in requirements_of(wheel):
            if bound := re.match(r"([A-Za-z0-9_.-]+)\s*[^;]*>=([0-9.]+)", requirement):
                pins[bound[1]] = bound[2]
    assert pins["protobuf"].startswith("5.29")
    # Stubs are for type checkers only, and have no meaning at run time.
    oldest = [f"{name}=={version}" for name, version in pins.items() if not name.startswith("types-")]
    environment = new_environment("oldest", [*wheels, *oldest])
    installed = environment.versions()
    assert installed["protobuf"].startswith("5.29")
    assert installed["grpcio"] == "1.71.2"
    done = environment.run("python", "-c", IMPORT_ALL)
    assert done.code == 0, done.output


def test_command_line_works_from_its_wheel_alone(newest: Environment) -> None:
    assert newest.run("delphis", "--version").code == 0
    helped = newest.run("delphis", "--help")
    assert helped.code == 0, helped.output
    commands = {line.split()[0] for line in helped.output.partition("Commands:")[2].splitlines() if line.strip()}
    assert {"storages", "drivers"} <= commands
    assert "serve" not in commands  # a command of the application, which is not installed here
    nobody = newest.run("delphis", "--server", "127.0.0.1:1", "storages", "list")
    assert nobody.code == 3, nobody.output
    assert "127.0.0.1:1 can't be reached" in nobody.output
