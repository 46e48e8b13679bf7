"""docker-compose.yml, the Dockerfile and the manifests that they hand to the core agree with each other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.registry import manifest

REPO = Path(__file__).resolve().parents[2]
DOCKERFILE = (REPO / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    document = yaml.safe_load((REPO / "docker-compose.yml").read_text(encoding="utf-8"))
    found: dict[str, Any] = document["services"]
    return found


@pytest.fixture(scope="module")
def endpoints() -> dict[str, manifest.EndpointHost]:
    """Endpoint hosts of the manifests that Compose mounts into the core, by the service they name."""
    found: dict[str, manifest.EndpointHost] = {}
    for path in (REPO / "deploy/compose/drivers").glob("*/driver.toml"):
        host = manifest.read(path).host
        assert isinstance(host, manifest.EndpointHost), path
        found[host.target.rpartition(":")[0]] = host
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


def test_every_driver_container_is_known_to_the_core_and_has_certificates(
    services: dict[str, Any], endpoints: dict[str, manifest.EndpointHost]
) -> None:
    assert endpoints
    command = services["certificates"]["command"]
    certified = {part.partition("=")[0] for part in command if "=" in part}
    for name, host in endpoints.items():
        assert name in services, f"{name} is no service of docker-compose.yml"
        assert name in certified, f"certificates makes none for {name}"
        assert host.tls is not None
        port = host.target.rpartition(":")[2]
        assert any(part.endswith(f":{port}") for part in services[name]["command"]), name


def test_nothing_is_open_to_other_machines(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: {port}"
    assert "--auth=none" not in services["core"]["command"]


def test_images_do_not_run_as_root() -> None:
    for stage in ("core", "driver-host"):
        [body] = re.findall(rf"(?ms)^FROM base AS {stage}$(.*?)(?=^FROM |\Z)", DOCKERFILE)
        assert re.search(r"(?m)^USER 10001", body), stage
