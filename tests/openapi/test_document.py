"""What the gateway says of itself: valid, complete, and as the services behind it describe themselves."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from typing import Any

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import Descriptor
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from delphis import descriptors
from delphis.type.v1 import options_pb2
from gateway.dialect import is_map, is_secret
from gateway.openapi import prose
from gateway.openapi.comments import Comments
from services.auth.audit_listing import ENTRIES
from services.inventory.jobs.listing import JOBS
from services.inventory.kinds import KINDS
from services.inventory.resources.lists import list_of
from services.inventory.storages.listing import ACCESS_INFOS, STORAGES
from tests.gateway.library import Library
from tests.gateway.support import SERVICES
from tests.openapi.conftest import Described, described

METHODS = [method for service in SERVICES for method in service.methods]


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def operation(document: dict[str, Any], operation_id: str) -> dict[str, Any]:
    [found] = [one for _, _, one in operations(document) if one["operationId"] == operation_id]
    return found


def parameters(document: dict[str, Any], operation_id: str) -> dict[str, dict[str, Any]]:
    found = {}
    for parameter in operation(document, operation_id)["parameters"]:
        if "$ref" in parameter:
            parameter = document["components"]["parameters"][parameter["$ref"].rpartition("/")[2]]
        found[parameter["name"]] = parameter
    return found


def schema(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


def test_is_valid(closed_gateway: Described) -> None:
    document = closed_gateway.document()
    assert document["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(document).validate()


def test_has_every_binding(document: dict[str, Any]) -> None:
    wanted = set()
    for method in METHODS:
        options: Any = method.GetOptions()
        rule = options.Extensions[annotations_pb2.http]
        for one in (rule, *rule.additional_bindings):
            if (pattern := one.WhichOneof("pattern")) is not None:
                wanted.add((pattern, getattr(one, pattern)))
    assert len(wanted) > 60
    assert wanted <= {(method, path) for path, method, _ in operations(document)}


def test_operation_ids_are_unique_and_stay(document: dict[str, Any]) -> None:
    ids = [one["operationId"] for _, _, one in operations(document)]
    assert len(ids) == len(set(ids))
    paths = {one["operationId"]: (method, path) for path, method, one in operations(document)}
    assert paths["ListVolumes"] == ("get", "/v1/volumes")
    assert paths["ListVolumesByStorageId"] == ("get", "/v1/storages/{storage_id}/volumes")
    assert paths["ListStoragePools2"] == ("get", "/v1/storages-pools")
    assert paths["RegisterStorage"] == ("post", "/v1/storages")
    assert paths["AcceptSerial"] == ("post", "/v1/storages/{storage_id}:acceptSerial")


def test_says_what_the_comments_say(document: dict[str, Any]) -> None:
    tags = {tag["name"]: tag for tag in document["tags"]}
    assert tags["ResourceService"]["description"] == "Shows the resources of all arrays."
    found = operation(document, "GetVolume")
    assert (found["summary"], found["tags"]) == ("Shows one volume", ["ResourceService"])
    assert schema(document, "Volume")["description"] == "A volume (LUN) that hosts can use."
    assert schema(document, "Volume")["properties"]["total_capacity"]["description"] == "Size in bytes."
    assert schema(document, "Volume")["properties"]["wwn"]["description"].endswith("lower case, without separators.")
    assert "- `nl-sas`: " in schema(document, "DiskPhysicalType")["description"]
    ours = {service.name for service in SERVICES}
    for _, _, one in operations(document):
        if set(one["tags"]) & ours:
            assert one["summary"] != one["operationId"], one
            assert "|" not in one["description"], one
            assert all("description" in parameter for parameter in one.get("parameters", []) if "$ref" not in parameter)


def test_every_error_of_the_tables_is_documented(document: dict[str, Any]) -> None:
    comments = _comments()
    checked = 0
    for method in METHODS:
        ids = [one for _, _, one in operations(document) if one["operationId"] == method.name]
        for failure in prose.read(comments[method.full_name]).failures if ids else ():
            reasons = [name for response in _failures(document, ids[0]) for name in response["x-reasons"]]
            assert failure.reason in reasons, (method.name, failure)
            checked += 1
    assert checked > 60


def test_errors_have_status_and_text(document: dict[str, Any]) -> None:
    responses = operation(document, "SyncStorage")["responses"]
    assert "| StorageIsSyncing | STORAGE_IS_SYNCING | a sync waits or runs |" in responses["400"]["description"]
    assert responses["404"]["x-reasons"] == ["STORAGE_NOT_FOUND"]
    assert responses["404"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}
    assert (
        "STORAGE_CAPABILITY_NOT_SUPPORTED"
        in operation(document, "GetStorageCapabilities")["responses"]["501"]["x-reasons"]
    )
    # "As in StorageDriver": the array's own errors.
    registering = operation(document, "RegisterStorage")["responses"]
    assert "INVALID_USERNAME_OR_PASSWORD" in registering["400"]["x-reasons"]
    assert {"ARRAY_UNREACHABLE", "ARRAY_BUSY"} <= set(registering["503"]["x-reasons"])
    assert "OWNER_EPOCH_STALE" not in registering["503"]["x-reasons"]  # hosts only tell it the router
    assert "BAD_RESPONSE" in registering["502"]["x-reasons"]
    assert "Retry-After" in registering["503"]["headers"]


def test_answers_are_as_the_options_say(document: dict[str, Any]) -> None:
    assert "201" in operation(document, "RegisterStorage")["responses"]
    started = operation(document, "SyncStorage")["responses"]["202"]
    assert "content" not in started
    assert started["headers"]["Delphis-Job-Id"]["description"] == "Id of its job."
    listed = schema(document, "ListVolumesResponse")
    assert listed["required"] == ["volumes"]
    assert listed["properties"]["next_page_token"]["type"] == "string"
    assert listed["properties"]["volumes"]["items"] == {"$ref": "#/components/schemas/Volume"}
    assert "304" in operation(document, "GetVolume")["responses"]


def test_shapes_of_our_dialect(document: dict[str, Any]) -> None:
    volume = schema(document, "Volume")["properties"]
    assert (volume["total_capacity"]["type"], volume["total_capacity"]["format"]) == (["integer", "null"], "int64")
    assert volume["name"]["type"] == ["string", "null"]
    assert volume["status"]["anyOf"] == [{"$ref": "#/components/schemas/VolumeStatus"}, {"type": "null"}]
    assert schema(document, "VolumeStatus")["enum"] == [
        "unknown", "available", "error", "normal", "offline", "degraded", "abnormal",
    ]  # fmt: skip
    assert schema(document, "SyncStatus")["enum"] == ["unknown", "SYNCED", "SYNCING"]
    assert volume["native"]["additionalProperties"] == {"type": "string"}
    at = volume["created_at"]
    texts = ("2026-11-22T13:42:55.328319", None, "2026-11-22T13:42:55.328319Z", "2026-11-22T13:42:55", 1)
    assert [OAS31Validator(at).is_valid(text) for text in texts] == [True, True, False, False, False]
    created = schema(document, "CreateTokenRequest")
    assert (created["required"], created["additionalProperties"]) == (["name"], False)


def test_parameters(document: dict[str, Any]) -> None:
    found = parameters(document, "ListVolumesByStorageId")
    assert found["storage_id"]["in"] == "path"
    lists = {"limit", "offset", "marker", "sort", "sort_key", "sort_dir"}
    natives = {"page_size", "page_token", "filter", "order_by", "skip"}
    assert lists | natives | {"fields", "X-Request-Id", "Request-Timeout", "If-None-Match"} <= set(found)
    assert "storage_id" in parameters(document, "ListVolumes")
    # What a method has no field for is not offered.
    related = parameters(document, "ListRelated")
    assert lists & set(related) == {"limit", "marker"}
    assert related["direction"]["schema"] == {"$ref": "#/components/schemas/RelationDirection"}
    assert "update_mask" in parameters(document, "UpdateStorage")
    assert {"fields", "If-None-Match"} & set(parameters(document, "SyncStorage")) == set()


def test_lists_name_the_fields_they_are_filtered_by(document: dict[str, Any]) -> None:
    """In the contract those of the lists are named; each is a parameter."""
    lists = {f"List{kind.rpc}": list_of(kind.name, "all") for kind in KINDS.values()}
    lists |= {"ListStorages": STORAGES, "ListAccessInfos": ACCESS_INFOS, "ListJobs": JOBS, "ListAuditEntries": ENTRIES}
    for method in METHODS:
        named = list(method.GetOptions().Extensions[options_pb2.rest].filter_fields)
        spec = lists.pop(method.name, None)
        assert bool(named) == (spec is not None), method.name
        if spec is not None:
            plain = [name for name, field in spec.fields.items() if field.type != "map" and "." not in name]
            assert sorted(named) == sorted(plain), f"{method.name}: name them as filter_fields in the proto"
            assert set(named) <= set(parameters(document, method.name)), method.name
    assert not lists
    volumes = parameters(document, "ListVolumes")
    assert volumes["status"]["schema"] == {"$ref": "#/components/schemas/VolumeStatus"}
    assert volumes["missing"]["schema"] == {"type": "boolean"}


def test_secrets_go_in_and_never_out(document: dict[str, Any]) -> None:
    sent = schema(document, "RestAccessInput")["properties"]["password"]
    assert (sent["writeOnly"], sent["format"]) == (True, "password")
    assert schema(document, "RegisterStorageRequest")["properties"]["extra_attributes"]["writeOnly"] is True
    checked = 0
    for message in _messages():
        answered = document["components"]["schemas"].get(message.name, {}).get("properties", {})
        for field in message.fields:
            if is_secret(field) and not is_map(field) and not message.name.endswith("Request"):
                assert field.name not in answered, (message.full_name, field.name)
                checked += 1
    assert checked >= 7


def test_examples_are_valid(document: dict[str, Any]) -> None:
    """Against their schemas, made strict where they are open, so that a wrong name shows."""
    strict = copy.deepcopy(document["components"])
    for one in strict["schemas"].values():
        if "properties" in one:
            one.setdefault("additionalProperties", False)
    checked = 0
    for _, _, one in operations(document):
        contents = [response.get("content", {}) for response in one["responses"].values()]
        contents.append(one.get("requestBody", {}).get("content", {}))
        for media in (media for content in contents for media in content.values()):
            examples = [media["example"]] if "example" in media else []
            examples += [
                document["components"]["examples"][example["$ref"].rpartition("/")[2]]["value"]
                for example in media.get("examples", {}).values()
            ]
            for example in examples:
                OAS31Validator({**media["schema"], "components": strict}).validate(example)
                checked += 1
    assert checked > 200
    example = operation(document, "RegisterStorage")["requestBody"]["content"]["application/json"]["example"]
    assert example["vendor"] == "fake_storage"
    assert "ssh" not in example


def test_watches_are_streams(document: dict[str, Any]) -> None:
    answers = operation(document, "WatchChanges")["responses"]["200"]["content"]
    assert answers["application/x-ndjson"]["schema"] == {"$ref": "#/components/schemas/WatchChangesResponse"}
    assert answers["text/event-stream"]["schema"]["type"] == "string"
    assert "Last-Event-ID" in parameters(document, "WatchChanges")


def test_tokens_are_asked_for_where_they_are(open_gateway: Described, closed_gateway: Described) -> None:
    free, guarded = open_gateway.document(), closed_gateway.document()
    assert "securitySchemes" not in free["components"]
    assert "401" not in operation(free, "GetVolume")["responses"]
    assert guarded["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert operation(guarded, "GetVolume")["security"] == [{"bearer": ["read"]}]
    assert operation(guarded, "CreateToken")["security"] == [{"bearer": ["admin"]}]
    assert operation(guarded, "GetLiveness")["security"] == []
    refused = operation(guarded, "GetVolume")["responses"]["401"]["$ref"].rpartition("/")[2]
    assert guarded["components"]["responses"][refused]["x-reasons"] == ["UNAUTHENTICATED"]


def test_a_foreign_service_has_its_own_conventions(document: dict[str, Any]) -> None:
    got = operation(document, "GetBook")
    assert [path for path, _, one in operations(document) if one is got] == ["/library/shelves/{name_1}/books/{name_2}"]
    assert got["responses"]["404"]["$ref"].endswith("/Status404")
    failure = document["components"]["responses"]["Status404"]["content"]["application/json"]["schema"]
    assert failure == {"$ref": "#/components/schemas/Status"}
    book = schema(document, "Book")["properties"]
    assert (book["pageCount"]["type"], book["boughtAt"]["format"]) == ("string", "date-time")
    assert book["coverImage"]["contentEncoding"] == "base64"
    assert schema(document, "Genre")["enum"] == ["GENRE_UNSPECIFIED", "GENRE_CRIME", "GENRE_POETRY"]
    titles = operation(document, "Titles")["responses"]["200"]["content"]["application/json"]["schema"]
    assert titles["items"] == {"$ref": "#/components/schemas/Book"}
    assert {"like.author.fullName", "genres", "pageSize", "price"} <= set(parameters(document, "ListBooks"))
    assert operation(document, "CreateBook")["requestBody"]["required"] is False


def test_follows_what_is_served() -> None:
    for found in described(login=False):
        assert "Burn" not in str(found.document()["paths"])
        first = found.client.get("/v1/openapi.json").headers["etag"]
        found.loop.run(_replace(found))
        deadline = time.monotonic() + 60
        while "/library/shelves/{name}:burn" not in found.document()["paths"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        again = found.client.get("/v1/openapi.json", If_None_Match=first)
        assert again.status == 200
        assert found.client.get("/v1/openapi.json", If_None_Match=again.headers["etag"]).status == 304


async def _replace(found: Described) -> None:
    """Another version of the foreign service comes up at the address."""
    await found.library.stop(None)
    found.library, _ = await Library(more_paths=True).serve(f"127.0.0.1:{found.library_port}")


def _failures(document: dict[str, Any], one: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for status, response in one["responses"].items():
        if status >= "400":
            name = response.get("$ref", "").rpartition("/")[2]
            yield document["components"]["responses"][name] if name else response


def _comments() -> dict[str, str]:
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors.load()).file
    comments = Comments(files)
    return {method.full_name: comments.of(method.full_name) for method in METHODS}


def _messages() -> Iterator[Descriptor]:
    """All messages that our methods reach."""
    seen: dict[str, Descriptor] = {}
    waiting = [message for method in METHODS for message in (method.input_type, method.output_type)]
    while waiting:
        message = waiting.pop()
        if message.full_name not in seen:
            seen[message.full_name] = message
            waiting += [field.message_type for field in message.fields if field.message_type is not None]
    assert any(field.GetOptions().Extensions[options_pb2.secret] for one in seen.values() for field in one.fields)
    yield from seen.values()


def test_is_json_without_surprises(open_gateway: Described) -> None:
    reply = open_gateway.client.get("/v1/openapi.json")
    assert reply.headers["content-type"] == "application/json"
    assert json.loads(reply.body)["info"]["title"] == "Delphis"
    assert open_gateway.client.request("POST", "/v1/openapi.json").status == 404
    assert open_gateway.client.request("OPTIONS", "/v1/openapi.json").headers["allow"] == "GET, HEAD, OPTIONS"
    assert "/v1/openapi.json" in open_gateway.document()["paths"]
