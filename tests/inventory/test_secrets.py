"""A secret goes to the driver and nowhere else: not to the files, the log, an answer, an error, the audit log."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from delphis.auth.v1 import auth_pb2
from delphis.inventory.v1 import inventory_pb2 as pb
from delphis.type.v1 import access_pb2, storage_pb2
from services.calls.errors import CallError
from tests.inventory.core import INVENTORY, Core, core, registration

SENTINEL = "sentinel-77aa31"


def files_with_sentinel(folder: Path) -> list[str]:
    return [str(file) for file in folder.rglob("*") if file.is_file() and SENTINEL.encode() in file.read_bytes()]


def secretive(port: int, *, fail: str = "") -> pb.RegisterStorageRequest:
    """A registration with a secret in every place where one may be."""
    request = registration(port, token=f"{SENTINEL}-extra", **({"fail": fail} if fail else {}))
    request.rest.password, request.rest.token = f"{SENTINEL}-rest", f"{SENTINEL}-token"
    request.ssh.host, request.ssh.port, request.ssh.username = "127.9.0.8", 22, "u"
    request.ssh.password, request.ssh.pub_key = f"{SENTINEL}-ssh", "AAAA"
    request.ssh.private_key, request.ssh.private_key_passphrase = f"{SENTINEL}-key", f"{SENTINEL}-phrase"
    request.cli.host, request.cli.username, request.cli.password = "127.9.0.8", "u", f"{SENTINEL}-cli"
    request.smis.host, request.smis.username, request.smis.password = "127.9.0.8", "u", f"{SENTINEL}-smis"
    return request


async def walk(running: Core) -> list[CallError]:
    """Everything that has to do with access infos, once; the errors on the way."""
    errors: list[CallError] = []

    async def tried(path: str, request: pb.RegisterStorageRequest | pb.UpdateAccessInfoRequest) -> bytes:
        answer = access_pb2.AccessInfo if isinstance(request, pb.UpdateAccessInfoRequest) else storage_pb2.Storage
        before = len(running.answers)
        try:
            await running.call(INVENTORY + path, request, answer)
        except CallError as error:
            errors.append(error)
        return running.answers[-1] if len(running.answers) > before else b""

    request = secretive(1)
    request.request_id = "order-1"
    storage = storage_pb2.Storage.FromString(await tried("RegisterStorage", request))
    assert storage.id
    await tried("RegisterStorage", request)
    request.rest.password = f"{SENTINEL}-other"
    await tried("RegisterStorage", request)
    for fail in ("password", "unavailable", "error", "bug", "broken", "storage:no_serial", "exit"):
        await tried("RegisterStorage", secretive(2, fail=fail))
    spoilt = secretive(3)
    spoilt.rest.password = SENTINEL * 30
    await tried("RegisterStorage", spoilt)
    spoilt = secretive(3)
    spoilt.extra_attributes["array"] = SENTINEL * 30
    await tried("RegisterStorage", spoilt)
    await tried("RegisterStorage", secretive(1))
    changed = pb.UpdateAccessInfoRequest(storage_id=storage.id, rest=secretive(1).rest)
    changed.rest.password = f"{SENTINEL}-new"
    await tried("UpdateAccessInfo", changed)
    changed.rest.port = 2
    await tried("UpdateAccessInfo", changed)
    changed = pb.UpdateAccessInfoRequest(storage_id=storage.id, extra_attributes={"token": f"{SENTINEL}-x"})
    await tried("UpdateAccessInfo", changed)
    await running.wait_synced(storage.id)
    await running.call(
        INVENTORY + "GetAccessInfo", pb.GetAccessInfoRequest(storage_id=storage.id), access_pb2.AccessInfo
    )
    await running.call(INVENTORY + "ListAccessInfos", pb.ListAccessInfosRequest(), pb.ListAccessInfosResponse)
    await running.jobs()
    await running.call(
        "/delphis.auth.v1.AuthService/ListAuditEntries",
        auth_pb2.ListAuditEntriesRequest(),
        auth_pb2.ListAuditEntriesResponse,
    )
    resolved = await running.access.resolve(storage.id, with_access=True)
    assert SENTINEL in str(resolved.access_info)
    assert SENTINEL not in repr(resolved)
    return errors


async def test_a_secret_stays_between_caller_store_and_driver(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with core(tmp_path) as running:
        errors = await walk(running)
        assert files_with_sentinel(tmp_path) == []
    assert len(errors) >= 11
    for error in errors:
        assert SENTINEL not in f"{error} {error.metadata} {error.status()}"
    assert not [body for body in running.answers if SENTINEL.encode() in body]
    assert files_with_sentinel(tmp_path) == []
    assert SENTINEL not in caplog.text
    assert (tmp_path / "inventory.db").stat().st_size > 0
