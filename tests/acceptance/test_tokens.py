"""Authentication: tokens made with `delphis db token create`, for REST, gRPC and the command line."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import grpc
import pytest

from delphis.inventory.v1 import inventory_pb2, inventory_pb2_grpc
from tests.support.up import DELPHIS, Up, fake_array, up


def make_token(folder: Path, name: str, scopes: str) -> str:
    made = subprocess.run(
        [DELPHIS, "db", "token", "create", name, "--scopes", scopes, "--data-dir",
         str(folder / "data")],
        capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, "XDG_CONFIG_HOME": str(folder / "c")},
    )  # fmt: skip
    assert made.stdout.count("\n") == 1
    return made.stdout.strip()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("tokens")
    return {"folder": str(folder), **{name: make_token(folder, name, name) for name in ("read", "operate", "admin")}}


@pytest.fixture(scope="module", params=[pytest.param("up", marks=pytest.mark.slow), "serve core"])
def delphis(request: pytest.FixtureRequest, tokens: dict[str, str]):  # type: ignore[no-untyped-def]
    command = tuple(request.param.split())
    options = ("--auth", "token") if command == ("up",) else ()
    with up(Path(tokens["folder"]), *options, command=command) as running:
        yield running


def test_each_scope_opens_what_it_should_over_rest(delphis: Up, tokens: dict[str, str]) -> None:
    for headers in ({}, bearer("nonsense"), {"Authorization": "Basic YTpi"}):
        reply = delphis.ask("GET", "/v1/storages", headers=headers)
        assert reply.status == 401
        assert reply.json["error_code"] == "Unauthenticated"
    for name, status in (("read", 403), ("operate", 404), ("admin", 404)):
        assert delphis.ask("GET", "/v1/storages", headers=bearer(tokens[name])).status == 200
        unknown = {**fake_array(1), "model": "none"}
        assert delphis.ask("POST", "/v1/storages", unknown, headers=bearer(tokens[name])).status == status
    assert delphis.ask("GET", "/v1/tokens", headers=bearer(tokens["operate"])).status == 403
    listed = delphis.ask("GET", "/v1/tokens", headers=bearer(tokens["admin"]))
    assert {token["name"] for token in listed.json["tokens"]} >= {"read", "operate", "admin"}
    for secret in (tokens["read"], tokens["operate"], tokens["admin"]):
        assert secret not in listed.text
        assert secret not in delphis.log()


def test_a_foreign_host_header_is_no_matter_with_authentication(delphis: Up, tokens: dict[str, str]) -> None:
    headers = {**bearer(tokens["read"]), "Host": "storage.example"}
    assert delphis.ask("GET", "/v1/storages", headers=headers).status == 200


def test_each_scope_opens_what_it_should_over_grpc(delphis: Up, tokens: dict[str, str]) -> None:
    with grpc.insecure_channel(delphis.grpc) as channel:
        stub = inventory_pb2_grpc.InventoryServiceStub(channel)
        with pytest.raises(grpc.RpcError) as raised:
            stub.ListStorages(inventory_pb2.ListStoragesRequest(), timeout=60)
        assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
        metadata = (("authorization", f"Bearer {tokens['read']}"),)
        stub.ListStorages(inventory_pb2.ListStoragesRequest(), timeout=60, metadata=metadata)
        with pytest.raises(grpc.RpcError) as raised:
            stub.SyncStorages(inventory_pb2.SyncStoragesRequest(), timeout=60, metadata=metadata)
        assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_an_ended_token_is_refused_at_once_and_the_audit_log_knows(delphis: Up, tokens: dict[str, str]) -> None:
    admin = bearer(tokens["admin"])
    made = delphis.ask("POST", "/v1/tokens", {"name": "short-lived", "scopes": ["read"]}, headers=admin)
    assert made.status == 201, made
    assert delphis.ask("GET", "/v1/storages", headers=bearer(made.json["secret"])).status == 200
    gone = delphis.ask("DELETE", f"/v1/tokens/{made.json['token']['token_id']}", headers=admin)
    assert gone.status == 200
    assert delphis.ask("GET", "/v1/storages", headers=bearer(made.json["secret"])).status == 401


def test_the_command_line_takes_a_token_from_a_file(delphis: Up, tokens: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(tokens["read"])
    command = [DELPHIS, "--server", delphis.grpc, "--output", "json"]
    without = subprocess.run([*command, "storages", "list"], capture_output=True, text=True, timeout=60, check=False)
    assert without.returncode == 4
    listed = subprocess.run(
        [*command, "--token-file", str(file), "storages", "list"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert listed.stdout.strip().startswith(("[", "{"))
