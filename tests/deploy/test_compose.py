"""docker-compose.yml, the Dockerfile and the drivers that run in containers agree with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from delphis.sdk.certificates import CORE
from services.app.commands import serve

REPO = Path(__file__).resolve().parents[2]
DOCKERFILE = (REPO / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    document = yaml.safe_load((REPO / "docker-compose.yml").read_text(encoding="utf-8"))
    found: dict[str, Any] = document["services"]
    return found


def test_images_are_targets_of_the_dockerfile(services: dict[str, Any]) -> None:
    targets = set(re.findall(r"(?m)^FROM \S+ AS (\S+)$", DOCKERFILE))
    assert {service["build"]["target"] for service in services.values() if "build" in service} <= targets


def test_what_the_images_copy_is_there_and_is_sent(services: dict[str, Any]) -> None:
    sent = {
        line.removeprefix("!")
        for line in (REPO / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    for line in re.findall(r"(?m)^COPY (?!--from)(.+)$", DOCKERFILE):
        for source in line.split()[:-1]:
            assert (REPO / source).exists(), source
            assert source.split("/")[0] in sent, source


def test_every_driver_container_has_a_certificate_a_token_and_the_cores_address(services: dict[str, Any]) -> None:
    hosts = {name: service for name, service in services.items() if service.get("image") == "delphis-driver-host"}
    assert hosts
    driver_options = [part for part in services["certificates"]["command"] if part.startswith("--driver=")]
    certified = {part.removeprefix("--driver=").partition("=")[0] for part in driver_options}
    listens = [part.partition("=")[2] for part in services["core"]["command"] if part.startswith("--lease-listen=")]
    for name, service in hosts.items():
        assert name in certified, f"certificates makes none for {name}"
        environment = service["environment"]
        assert environment["DELPHIS_CORE"].rpartition(":")[2] == listens[0].rpartition(":")[2]
        assert environment["DELPHIS_CORE_NAME"] == "delphis-core"
        driver = tomllib.loads((REPO / service["command"][0] / "driver.toml").read_text(encoding="utf-8"))
        words = " ".join(services[f"{name}-token"]["command"])
        assert f"--driver {driver['name']} " in words
        for pair in driver["serves"]:
            assert f"--serves {pair['vendor']}/{pair['model']} " in words
        assert environment["DELPHIS_DRIVER_TOKEN_FILE"] in services[f"{name}-token"]["command"]


def test_nothing_but_traps_is_open_to_other_machines(services: dict[str, Any]) -> None:
    open_ports = {
        (name, port)
        for name, service in services.items()
        for port in service.get("ports", [])
        if not port.startswith("127.0.0.1:")
    }
    assert open_ports == {("alerts", "162:1162/udp")}
    assert "--auth=none" not in services["core"]["command"]


def given(service: dict[str, Any]) -> dict[str, str]:
    """The options of a command, each written --name=value."""
    return {name: value for word in service["command"] if "=" in word for name, _, value in [word.partition("=")]}


def mounted(service: dict[str, Any], path: str) -> str:
    """The volume that holds a path."""
    places = [volume.split(":")[:2] for volume in service["volumes"]]
    [volume] = [volume for volume, place in places if path.startswith(f"{place}/")]
    return str(volume)


@pytest.mark.parametrize("name", ["alerts", "telemetry"])
def test_core_and_the_others_find_and_trust_each_other(services: dict[str, Any], name: str) -> None:
    core, other = given(services["core"]), given(services[name])
    assert core[f"--{name}"] == f"{name}:{other['--grpc-listen'].rpartition(':')[2]}"
    host, _, port = other["--inventory"].partition(":")
    assert host in services["core"]["networks"]["arrays"]["aliases"]
    assert host == CORE
    assert port == core["--lease-listen"].rpartition(":")[2]
    made = [word.removeprefix("--driver=") for word in services["certificates"]["command"] if "driver" in word]
    folder = other["--tls-certificate"].rpartition("/")[0]
    assert f"{name}={folder}" in made
    assert other["--tls-key"] == f"{folder}/tls.key"
    assert other["--inventory-ca"] == f"{folder}/ca.pem"
    assert core[f"--{name}-ca"] == f"{core['--lease-tls']}/ca.pem"
    assert mounted(services["core"], core["--token-file"]) == mounted(services[name], other["--token-file"])
    assert mounted(services["certificates"], f"{folder}/x") == mounted(services[name], f"{folder}/x")
    for one in ("core", name):
        assert "key:/var/lib/delphis-key" in services[one]["volumes"]
        assert services[one]["environment"]["DELPHIS_DATABASE"] == services["core"]["environment"]["DELPHIS_DATABASE"]
    assert services[name]["healthcheck"]["test"] == [
        *("CMD", "python3", "deploy/healthy.py"),
        *(f"grpcs://{core[f'--{name}']}", other["--inventory-ca"]),
    ]
    assert re.search(rf"(?m)^EXPOSE .*\b{other['--grpc-listen'].rpartition(':')[2]}\b", DOCKERFILE)


def test_traps_come_in_where_alerts_listens(services: dict[str, Any]) -> None:
    published = services["alerts"]["ports"][0].removesuffix("/udp").rpartition(":")[2]
    assert published == given(services["alerts"])["--trap-listen"].rpartition(":")[2]


def test_folders_of_volumes_belong_to_the_user_of_the_image(services: dict[str, Any]) -> None:
    """A new volume takes over the owner of the folder that it is mounted on."""
    folders = re.search(r"install -d -o delphis((?:.|\\\n)*?)\n\n", DOCKERFILE)
    assert folders is not None
    ours = {name for name, service in services.items() if service.get("image", "").startswith("delphis")}
    for name in ours:
        for volume in services[name].get("volumes", []):
            place = volume.split(":")[1]
            assert place in re.split(r"[\s\\]+", folders[1]), (name, place)


def test_commands_are_taken_as_they_are_written(services: dict[str, Any]) -> None:
    for name in ("core", "alerts", "telemetry"):
        command = services[name]["command"]
        assert command[:2] == ["serve", name]
        known = {option for parameter in serve.commands[name].params for option in parameter.opts}
        assert set(given(services[name])) <= known


def test_images_do_not_run_as_root() -> None:
    for stage in ("core", "driver-host"):
        [body] = re.findall(rf"(?ms)^FROM base AS {stage}$(.*?)(?=^FROM |\Z)", DOCKERFILE)
        assert re.search(r"(?m)^USER 10001", body), stage
