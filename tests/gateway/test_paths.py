"""Every path of the REST API of SODA Delfin that the inventory serves, and ours beside it, calls the right method."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.support import Running

KINDS = {
    # path: (method's noun, list key)
    "storage-pools": ("StoragePool", "storage_pools"),
    "volumes": ("Volume", "volumes"),
    "controllers": ("Controller", "controllers"),
    "ports": ("Port", "ports"),
    "disks": ("Disk", "disks"),
    "filesystems": ("Filesystem", "filesystems"),
    "qtrees": ("Qtree", "qtrees"),
    "quotas": ("Quota", "quotas"),
    "shares": ("Share", "shares"),
    "storage-host-initiators": ("StorageHostInitiator", "storage_host_initiators"),
    "storage-hosts": ("StorageHost", "storage_hosts"),
    "storage-host-groups": ("StorageHostGroup", "storage_host_groups"),
    "port-groups": ("PortGroup", "port_groups"),
    "volume-groups": ("VolumeGroup", "volume_groups"),
    "masking-views": ("MaskingView", "masking_views"),
}
SETTINGS = {"display_name": "x", "labels": {"a": "b"}}
REGISTER = {"vendor": "v", "model": "m", "rest": {"host": "127.0.0.1", "port": "22", "username": "u", "password": "p"}}
REST_BLOCK = REGISTER["rest"]

# request, its body, the method called, its request's fields, the status, the list's key ("" for an empty body)
STORAGES: list[tuple[str, Any, str, dict[str, Any], int, str | None]] = [
    ("GET /v1/storages", None, "ListStorages", {}, 200, "storages"),
    (
        "POST /v1/storages",
        {"vendor": "v", "model": "m", "rest": REST_BLOCK},
        "RegisterStorage",
        {"vendor": "v"},
        201,
        None,
    ),
    ("GET /v1/storages/s1", None, "GetStorage", {"storage_id": "s1"}, 200, None),
    ("PATCH /v1/storages/s1", SETTINGS, "UpdateStorage", {"storage_id": "s1"}, 200, None),
    ("DELETE /v1/storages/s1", None, "DeleteStorage", {"storage_id": "s1"}, 202, ""),
    ("POST /v1/storages/s1/sync", None, "SyncStorage", {"storage_id": "s1"}, 202, ""),
    ("POST /v1/storages/sync", None, "SyncStorages", {}, 202, ""),
    ("GET /v1/storages/s1/sync-state", None, "GetSyncState", {"storage_id": "s1"}, 200, None),
    ("POST /v1/storages/s1:acceptSerial", {"serial_number": "7"}, "AcceptSerial", {"serial_number": "7"}, 200, None),
    ("POST /v1/storages/s1:acceptRemovals", None, "AcceptRemovals", {"storage_id": "s1"}, 200, None),
    ("GET /v1/storages/s1/capabilities", None, "GetStorageCapabilities", {"storage_id": "s1"}, 200, None),
    ("GET /v1/storages/s1/access-info", None, "GetAccessInfo", {"storage_id": "s1"}, 200, None),
    ("PUT /v1/storages/s1/access-info", {"rest": REST_BLOCK}, "UpdateAccessInfo", {"storage_id": "s1"}, 200, None),
    ("GET /v1/access-infos", None, "ListAccessInfos", {}, 200, "access_infos"),
    ("GET /v1/jobs", None, "ListJobs", {}, 200, "jobs"),
    ("GET /v1/jobs/j1", None, "GetJob", {"job_id": "j1"}, 200, None),
    ("POST /v1/jobs/j1:cancel", None, "CancelJob", {"job_id": "j1"}, 200, None),
    ("GET /v1/changes", None, "ListChanges", {}, 200, "changes"),
    ("GET /v1/storages/s1/changes", None, "ListChanges", {"storage_id": "s1"}, 200, "changes"),
    ("GET /v1/resources/r1/related", None, "ListRelated", {"id": "r1"}, 200, "related"),
    ("GET /v1/drivers", None, "ListDrivers", {}, 200, "drivers"),
    ("GET /v1/drivers/dev.acme.box", None, "GetDriver", {"name": "dev.acme.box"}, 200, None),
    ("POST /v1/drivers/dev.acme.box:restart", None, "RestartDriver", {"name": "dev.acme.box"}, 200, None),
    ("GET /v1/quarantines", None, "ListQuarantines", {}, 200, "quarantines"),
    ("POST /v1/quarantines/s1:release", {}, "ReleaseQuarantine", {"storage_id": "s1"}, 200, None),
    ("GET /v1/caller", None, "GetCaller", {}, 200, None),
    ("GET /v1/tokens", None, "ListTokens", {}, 200, "tokens"),
    ("POST /v1/tokens", {"name": "n", "scopes": ["read"]}, "CreateToken", {"name": "n", "scopes": [2]}, 201, None),
    ("DELETE /v1/tokens/t1", None, "DeleteToken", {"token_id": "t1"}, 200, ""),
    ("GET /v1/audit-entries", None, "ListAuditEntries", {}, 200, "audit_entries"),
    # The driver guide's own spelling, and the suffix of SODA Delfin's router.
    ("GET /v1/storages-pools", None, "ListStoragePools", {}, 200, "storage_pools"),
    ("GET /v1/volumes.json", None, "ListVolumes", {}, 200, "volumes"),
    ("GET /v1/storages/s1/ports.json", None, "ListPorts", {"storage_id": "s1"}, 200, "ports"),
]
RESOURCES: list[tuple[str, Any, str, dict[str, Any], int, str | None]] = [
    row
    for path, (noun, key) in KINDS.items()
    for row in (
        (f"GET /v1/{path}", None, f"List{noun}s", {"storage_id": ""}, 200, key),
        (f"GET /v1/{path}/r1", None, f"Get{noun}", {"id": "r1"}, 200, None),
        (f"GET /v1/storages/s1/{path}", None, f"List{noun}s", {"storage_id": "s1"}, 200, key),
    )
]


@pytest.mark.parametrize(("line", "body", "method", "fields", "status", "key"), STORAGES + RESOURCES)
def test_path(
    rest: Running, line: str, body: Any, method: str, fields: dict[str, Any], status: int, key: str | None
) -> None:
    verb, path = line.split()
    reply = rest.client.request(verb, path, body)
    assert reply.status == status, reply
    name, request = rest.stub.last
    assert name == method
    assert {field: getattr(request, field) for field in fields} == fields
    assert reply.headers["x-compute-request-id"].startswith("req-")
    if key == "":
        assert reply.body == b""
    elif key is not None:
        assert reply.json == {key: []}
    else:
        assert isinstance(reply.json, dict)


@pytest.mark.parametrize(
    "line",
    [
        "POST /v1/volumes",
        "PUT /v1/storages/s1",
        "PATCH /v1/volumes/v1",
        "DELETE /v1/storages",
        "GET /v1/storages/s1:acceptSerial",
        "TRACE /v1/storages",
    ],
)
def test_path_with_another_method(rest: Running, line: str) -> None:
    verb, path = line.split()
    reply = rest.client.request(verb, path)
    if line.startswith("GET"):  # a colon may belong to an id
        assert (reply.status, rest.stub.last[1].storage_id) == (200, "s1:acceptSerial")
        return
    assert (reply.status, reply.json["error_code"], reply.json["status"]) == (404, "NotFound", "NOT_FOUND")
    assert "GET" in reply.headers["allow"]
    assert not rest.stub.calls


@pytest.mark.parametrize(
    "path",
    [
        "/v2/storages",
        "/v1/nothing",
        "/v1/storages/",
        "/v1//storages",
        "/v1/storages/s1/",
        "/v1/storages/s1/sync/more",
        "/favicon.ico",
        "/v1/storages/s1/access-infos",
        "/v1/volumes.xml",
        "/V1/storages",
    ],
)
def test_unknown_path(rest: Running, path: str) -> None:
    reply = rest.client.get(path)
    assert (reply.status, reply.json["error_code"], reply.json["error_args"]) == (404, "NoSuchAction", [path])
    assert not rest.stub.calls


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/"])
def test_root_lists_the_paths(rest: Running, path: str) -> None:
    reply = rest.client.get(path)
    assert reply.status == 200
    assert {"path": "/v1/storages", "methods": ["GET", "POST"]} in reply.json["paths"]
    assert "delphis.inventory.v1.InventoryService" in reply.json["services"]


def test_encoded_path(rest: Running) -> None:
    rest.client.get("/v1/storages/a%2Fb%20%C3%A9%3AacceptSerial")
    assert rest.stub.last[1].storage_id == "a/b é:acceptSerial"
    bad = rest.client.get("/v1/storages/%ff")
    assert (bad.status, bad.json["error_code"]) == (400, "BadRequest")


def test_driver_name_may_end_like_a_suffix(rest: Running) -> None:
    rest.client.get("/v1/drivers/dev.acme.json")
    assert rest.stub.last[1].name == "dev.acme.json"


def test_head_and_options(rest: Running) -> None:
    whole = rest.client.get("/v1/storages")
    head = rest.client.request("HEAD", "/v1/storages")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]
    options = rest.client.request("OPTIONS", "/v1/storages/s1")
    assert (options.status, options.body, options.headers["allow"]) == (204, b"", "DELETE, GET, HEAD, OPTIONS, PATCH")
    assert rest.client.request("OPTIONS", "/v1/nothing").status == 404
    assert rest.client.request("HEAD", "/v1").status == 200
