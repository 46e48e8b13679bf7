"""docker-compose.yml, the Dockerfile and the drivers that run in containers agree with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    certified = {part.partition("=")[0] for part in services["certificates"]["command"] if "=" in part}
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


def test_nothing_is_open_to_other_machines(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: {port}"
    assert "--auth=none" not in services["core"]["command"]


def test_images_do_not_run_as_root() -> None:
    for stage in ("core", "driver-host"):
        [body] = re.findall(rf"(?ms)^FROM base AS {stage}$(.*?)(?=^FROM |\Z)", DOCKERFILE)
        assert re.search(r"(?m)^USER 10001", body), stage
