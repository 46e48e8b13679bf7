"""What answers look like: SODA Delfin's JSON, statuses, headers, envelopes."""

from __future__ import annotations

import re
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from delphis.auth.v1 import auth_pb2
from delphis.inventory.v1 import inventory_pb2, job_pb2, resource_pb2
from delphis.type.v1 import access_pb2, block_pb2, options_pb2, storage_pb2
from services.calls.errors import CallError
from services.calls.method import Call
from tests.gateway.support import Running

BIG = 2**53 + 1


def storage() -> storage_pb2.Storage:
    return storage_pb2.Storage(
        id="849e0e90-35bd-4d23-8155-53a5a583bcbf",
        name="",
        serial_number="123",
        status=storage_pb2.STORAGE_STATUS_NORMAL,
        total_capacity=BIG,
        used_capacity=0,
        sync_status=storage_pb2.SYNC_STATUS_SYNCING,
        created_at=Timestamp(seconds=1795355575, nanos=328319000),
        labels={"site": "köln"},
        deleted=False,
        pause=storage_pb2.Pause(reason="maintenance"),
    )


def test_resource(rest: Running) -> None:
    rest.stub.answers["GetStorage"] = storage()
    reply = rest.client.get("/v1/storages/x")
    assert reply.headers["content-type"] == "application/json"
    found = reply.json
    assert found["id"] == "849e0e90-35bd-4d23-8155-53a5a583bcbf"
    assert (found["name"], found["vendor"]) == ("", None), "empty and unset differ"
    assert (found["total_capacity"], found["used_capacity"], found["free_capacity"]) == (BIG, 0, None)
    assert (found["status"], found["sync_status"], found["sync_outcome"]) == ("normal", "SYNCING", None)
    assert (found["created_at"], found["updated_at"]) == ("2026-11-22T13:52:55.328319", None)
    assert (found["labels"], found["native"], found["deleted"]) == ({"site": "köln"}, {}, False)
    assert found["pause"] == {"reason": "maintenance", "until": None, "since": None}
    assert found.keys() == {field.name for field in storage_pb2.Storage.DESCRIPTOR.fields}


@pytest.mark.parametrize(
    "accept", ["application/json;int64=string", "text/html, application/json; int64=string; q=0.9"]
)
def test_exact_integers(rest: Running, accept: str) -> None:
    rest.stub.answers["GetStorage"] = storage()
    reply = rest.client.get("/v1/storages/x", Accept=accept)
    assert (reply.json["total_capacity"], reply.json["used_capacity"]) == (str(BIG), "0")
    assert reply.json["free_capacity"] is None
    assert reply.headers["content-type"] == "application/json;int64=string"


def test_microseconds_are_always_there(rest: Running) -> None:
    rest.stub.answers["GetStorage"] = storage_pb2.Storage(created_at=Timestamp(seconds=1))
    assert rest.client.get("/v1/storages/x").json["created_at"] == "1970-01-01T00:00:01.000000"


def test_enum_that_is_not_listed(local: Running) -> None:
    local.stub.answers["GetVolume"] = block_pb2.Volume(status=99, type=block_pb2.VOLUME_TYPE_UNSPECIFIED)  # type: ignore[arg-type]
    before = dict(local.gateway.backends[0].codecs.unlisted)  # type: ignore[union-attr]
    found = local.client.get("/v1/volumes/x").json
    assert (found["status"], found["type"]) == ("unknown", None)
    after = local.gateway.backends[0].codecs.unlisted  # type: ignore[union-attr]
    name = "delphis.type.v1.VolumeStatus"
    assert after[name] == before.get(name, 0) + 1


def test_access_blocks_that_are_not_used(rest: Running) -> None:
    rest.stub.answers["GetAccessInfo"] = access_pb2.AccessInfo(rest=access_pb2.RestAccess(host="h"))
    found = rest.client.get("/v1/storages/s/access-info").json
    assert found["rest"]["host"] == "h"
    assert (found["ssh"], found["cli"], found["smis"]) == ({}, {}, {})
    assert found["created_at"] is None


def test_secrets_do_not_leave(rest: Running) -> None:
    rest.stub.answers["GetAccessInfo"] = access_pb2.AccessInfo(
        storage_id="s",
        rest=access_pb2.RestAccess(host="h", username="admin", password="S3CRET", token="S3CRET"),
        ssh=access_pb2.SshAccess(private_key="S3CRET", private_key_passphrase="S3CRET", pub_key="AAAA"),
        cli=access_pb2.CliAccess(password="S3CRET"),
        smis=access_pb2.SmisAccess(password="S3CRET"),
    )
    reply = rest.client.get("/v1/storages/s/access-info")
    assert b"S3CRET" not in reply.body
    assert "password" not in reply.json["rest"]
    assert (reply.json["rest"]["username"], reply.json["ssh"]["pub_key"]) == ("admin", "AAAA")


def test_a_new_token_is_shown(rest: Running) -> None:
    rest.stub.answers["CreateToken"] = auth_pb2.CreateTokenResponse(
        token=auth_pb2.Token(name="n", scopes=[options_pb2.SCOPE_READ, options_pb2.SCOPE_ADMIN]), secret="once"
    )
    reply = rest.client.request("POST", "/v1/tokens", {"name": "n", "scopes": ["read", "ADMIN"]})
    assert (reply.status, reply.json["secret"], reply.json["token"]["scopes"]) == (201, "once", ["read", "admin"])


def test_envelope(rest: Running) -> None:
    volumes = [block_pb2.Volume(id="1", native={"k": "v"}), block_pb2.Volume(id="2", previous_native_ids=["a"])]
    rest.stub.answers["ListVolumes"] = resource_pb2.ListVolumesResponse(volumes=volumes, next_page_token="t")
    reply = rest.client.get("/v1/volumes")
    assert reply.json.keys() == {"volumes", "next_page_token"}
    assert [volume["id"] for volume in reply.json["volumes"]] == ["1", "2"]
    assert (reply.json["volumes"][0]["native"], reply.json["volumes"][1]["previous_native_ids"]) == ({"k": "v"}, ["a"])
    rest.stub.answers["ListVolumes"] = resource_pb2.ListVolumesResponse(volumes=volumes)
    assert rest.client.get("/v1/volumes").json.keys() == {"volumes"}
    rest.stub.answers["ListVolumes"] = resource_pb2.ListVolumesResponse(volumes=volumes, total_size=0)
    assert rest.client.get("/v1/volumes?include_total=true").json["total_size"] == 0
    assert rest.client.get("/v1/volumes?include_total=true&limit=0").json == {"volumes": [], "total_size": 0}


def test_limit_of_nothing(rest: Running) -> None:
    rest.stub.answers["ListVolumes"] = resource_pb2.ListVolumesResponse(
        volumes=[block_pb2.Volume()], next_page_token="t"
    )
    assert rest.client.get("/v1/volumes?limit=0").json == {"volumes": []}
    assert rest.stub.last[1].page_size == 1, "the call is made: it may fail"


def test_headers_from_fields(rest: Running) -> None:
    rest.stub.answers["SyncStorage"] = inventory_pb2.SyncStorageResponse(job_id="j-1")
    reply = rest.client.request("POST", "/v1/storages/s/sync")
    assert (reply.status, reply.body, reply.headers["delphis-job-id"]) == (202, b"", "j-1")
    rest.stub.answers["SyncStorages"] = inventory_pb2.SyncStoragesResponse(batch_id="b", started=0, skipped=3)
    reply = rest.client.request("POST", "/v1/storages/sync")
    found = [reply.headers[f"delphis-{name}"] for name in ("batch-id", "jobs-started", "jobs-skipped")]
    assert found == ["b", "0", "3"]


def test_headers_of_a_handler(rest: Running) -> None:
    def answer(request: Any, call: Call) -> None:
        call.headers.update({"delphis-job-id": "j-2", "set-cookie": "no"})

    rest.stub.answers["GetStorage"] = answer
    reply = rest.client.get("/v1/storages/s")
    assert (reply.headers["delphis-job-id"], reply.headers["set-cookie"]) == ("j-2", None)


def test_header_that_would_split_the_answer(local: Running) -> None:
    local.stub.answers["GetStorage"] = lambda request, call: call.headers.update({"delphis-note": "a\r\nset-cookie: b"})
    reply = local.client.get("/v1/storages/s")
    assert (reply.status, reply.headers["delphis-note"], reply.headers["set-cookie"]) == (200, None, None)


def test_request_id(rest: Running) -> None:
    form = re.compile(r"req-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    first, second = (rest.client.get(path).headers["x-compute-request-id"] for path in ("/v1/storages", "/v1/nothing"))
    assert form.fullmatch(first)
    assert form.fullmatch(second)
    assert first != second
    assert rest.client.get("/v1/storages", X_Request_Id="mine-1").headers["x-compute-request-id"] == "mine-1"
    assert rest.stub.calls[-1][2].request_id == "mine-1"
    assert form.fullmatch(rest.client.get("/v1/storages", X_Request_Id='"quoted"').headers["x-compute-request-id"])


def test_nested_messages_of_a_job(rest: Running) -> None:
    kind = job_pb2.KindState(kind="volume", outcome=job_pb2.KIND_OUTCOME_OK, total=3)
    rest.stub.answers["GetJob"] = job_pb2.Job(job_id="j", state=job_pb2.JOB_STATE_RUNNING, kinds=[kind])
    found = rest.client.get("/v1/jobs/j").json
    assert (found["state"], found["kinds"][0]["outcome"], found["kinds"][0]["total"]) == ("running", "ok", 3)
    assert (found["attempt"], found["batch_id"], found["ended_at"]) == (0, "", None), "no presence: the value itself"


def test_capabilities(rest: Running) -> None:
    answer = inventory_pb2.StorageCapabilities(metadata=inventory_pb2.CapabilitiesMetadata(vendor="v"))
    answer.spec.update({"is_historic": True, "retention": 900, "a": {"b": 0.5, "c": -(2**60)}})
    rest.stub.answers["GetStorageCapabilities"] = answer
    found = rest.client.get("/v1/storages/s/capabilities")
    assert found.json["metadata"] == {"vendor": "v", "model": ""}
    assert found.json["spec"] == {"a": {"b": 0.5, "c": -(2.0**60)}, "is_historic": True, "retention": 900}
    assert type(found.json["spec"]["retention"]) is int, "whole numbers are written as such"


def test_answer_that_is_none(rest: Running) -> None:
    rest.stub.answers["GetStorage"] = lambda request, call: b"\xff\xff"
    reply = rest.client.get("/v1/storages/s")
    assert (reply.status, reply.json["error_code"]) == (500, "InternalError")


def test_time_that_is_none(rest: Running) -> None:
    rest.stub.answers["GetStorage"] = storage_pb2.Storage(
        name="x", created_at=Timestamp(seconds=10**15), updated_at=Timestamp(nanos=-1)
    )
    found = rest.client.get("/v1/storages/s").json
    assert (found["name"], found["created_at"], found["updated_at"]) == ("x", None, None)


def test_error_of_a_handler_is_no_traceback(rest: Running) -> None:
    rest.stub.answers["GetStorage"] = RuntimeError("password=S3CRET")
    reply = rest.client.get("/v1/storages/s", X_Request_Id="req-7")
    assert (reply.status, reply.json["error_code"], reply.json["error_args"]) == (500, "InternalError", ["req-7"])
    assert b"S3CRET" not in reply.body
    assert b"Traceback" not in reply.body


def test_failed_call_has_no_header_of_a_success(rest: Running) -> None:
    rest.stub.answers["SyncStorage"] = CallError("STORAGE_IS_SYNCING", "Wait.", metadata={"job_id": "j"})
    reply = rest.client.request("POST", "/v1/storages/s/sync")
    assert (reply.status, reply.json["error_code"], reply.json["error_args"]) == (400, "StorageIsSyncing", ["j"])
    assert "delphis-job-id" not in reply.headers
