"""A client that openapi-python-client makes of the document works."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sysconfig
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.up import Up, up, wait_for

SCRIPTS = Path(sysconfig.get_path("scripts"))
PACKAGE = "delphis_client"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture(scope="module")
def generated(running: Up, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The client's modules, made anew."""
    folder = tmp_path_factory.mktemp("generated")
    description = folder / "openapi.json"
    description.write_text(json.dumps(running.get("/v1/openapi.json")))
    command = (SCRIPTS / "openapi-python-client", "generate", "--path", description, "--output-path", folder / PACKAGE)
    made = subprocess.run(
        [*command, "--meta", "none", "--fail-on-warning"],
        cwd=folder,
        env={**os.environ, "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))

        def module(name: str) -> Any:
            return importlib.import_module(f"{PACKAGE}.{name}")

        client = module("client").Client(base_url=running.rest)
        yield SimpleNamespace(
            client=client,
            models=module("models"),
            register=module("api.inventory_service.register_storage"),
            show=module("api.inventory_service.get_storage"),
            sync=module("api.inventory_service.sync_storage"),
            volumes=module("api.resource_service.list_volumes_by_storage_id"),
            volume=module("api.resource_service.get_volume"),
        )
        client.get_httpx_client().close()


def test_generated_client_works(generated: SimpleNamespace) -> None:
    client, models = generated.client, generated.models
    extra = models.RegisterStorageRequestExtraAttributes()
    extra["volumes"] = "12"
    body = models.RegisterStorageRequest(
        vendor="fake_storage",
        model="fake_driver",
        rest=models.RestAccessInput(host="127.0.0.1", port=443, username="me", password="secret-77"),
        extra_attributes=extra,
    )
    registered = generated.register.sync_detailed(client=client, body=body)
    assert registered.status_code == HTTPStatus.CREATED
    storage = registered.parsed
    assert isinstance(storage, models.Storage)

    def synced() -> Any:
        shown = generated.show.sync(storage.id, client=client)
        return shown if shown.sync_status == models.SyncStatus.SYNCED else None

    assert wait_for("end of the sync", synced).sync_outcome == models.SyncOutcome.OK
    listed = generated.volumes.sync(storage.id, client=client, limit=5, sort="name:asc")
    assert len(listed.volumes) == 5
    assert all(isinstance(volume.total_capacity, int) for volume in listed.volumes)
    assert all(volume.storage_id == storage.id for volume in listed.volumes)
    rest = generated.volumes.sync(
        storage.id, client=client, page_token=listed.next_page_token, limit=100, sort="name:asc"
    )
    assert len(rest.volumes) == 7

    one = generated.volumes.sync(storage.id, client=client, name=listed.volumes[0].name)
    assert [volume.id for volume in one.volumes] == [listed.volumes[0].id]
    chosen = generated.volumes.sync(storage.id, client=client, fields="id")
    assert {type(volume.name).__name__ for volume in chosen.volumes} == {"Unset"}


def test_generated_client_meets_errors(generated: SimpleNamespace) -> None:
    answer = generated.volume.sync_detailed("no-such-id", client=generated.client)
    assert answer.status_code == HTTPStatus.NOT_FOUND
    assert isinstance(answer.parsed, generated.models.Error)
    assert (answer.parsed.error_code, answer.parsed.status) == ("VolumeNotFound", "NOT_FOUND")


def test_generated_client_reads_headers(generated: SimpleNamespace, running: Up) -> None:
    storage = running.register(7)
    running.wait_synced(storage["id"])
    answer = generated.sync.sync_detailed(storage["id"], client=generated.client, x_request_id="mine-1")
    assert answer.status_code == HTTPStatus.ACCEPTED
    assert answer.headers["delphis-job-id"]
    assert answer.headers["x-request-id"] == "mine-1"
    running.wait_synced(storage["id"])
