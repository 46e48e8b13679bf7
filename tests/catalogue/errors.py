"""What is answered where something is wrong: paths, methods, bodies, and what arrays say when they are registered."""

from __future__ import annotations

from collections.abc import Iterator

from tests.catalogue.rows import Check, Row
from tests.catalogue.world import World, array
from tests.support.up import Reply, fake_array

STORAGES = "POST /v1/storages"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LATIN = {"Content-Type": "application/json; charset=latin-1"}
UTF8 = {"Content-Type": "application/json; charset=UTF-8"}


def _lists_paths(_: World, reply: Reply) -> None:
    paths = {one["path"]: one["methods"] for one in reply.json["paths"]}
    assert paths["/v1/volumes"] == ["GET"]
    assert set(paths["/v1/storages"]) == {"GET", "POST"}


def _allows(methods: str) -> Check:
    def check(_: World, reply: Reply) -> None:
        assert reply.headers["allow"] == methods

    return check


PATHS = [
    Row("root", "GET /v1", check=_lists_paths),
    Row("root-slash", "GET /v1/", check=_lists_paths),
    Row("unknown-path", "GET /v1/nothing", 404, "NoSuchAction", said="/v1/nothing"),
    Row("unknown-path-outside", "GET /nothing", 404, "NoSuchAction"),
    Row("unknown-version", "GET /v2/volumes", 404, "NoSuchAction"),
    Row("unknown-below-a-storage", "GET /v1/storages/{a}/colours", 404, "NoSuchAction"),
    Row("json-suffix", "GET /v1/volumes.json?limit=1", key="volumes", count=1),
    Row("json-suffix-by-id", "GET /v1/storages/{a}.json"),
    Row("json-suffix-below", "GET /v1/storages/{a}/access-info.json"),
    Row("xml-suffix", "GET /v1/volumes.xml", 404, "NoSuchAction"),
    Row("xml-suffix-by-id", "GET /v1/storages/{a}.xml", 404, "StorageNotFound"),
    Row("head", "HEAD /v1/volumes"),
    Row("options", "OPTIONS /v1/storages", 204, empty=True, check=_allows("GET, HEAD, OPTIONS, POST")),
    Row("method-of-a-list", "POST /v1/volumes", 404, "NotFound", said="POST", check=_allows("GET, HEAD, OPTIONS")),
    Row("method-of-storages", "DELETE /v1/storages", 404, "NotFound", said="DELETE"),
    Row("method-of-a-storage", "PUT /v1/storages/{a}", 404, "NotFound", said="PUT"),
    Row("method-of-a-volume", "DELETE /v1/volumes/{nobody}", 404, "NotFound"),
    Row("method-of-access-infos", "POST /v1/access-infos", 404, "NotFound"),
    Row("method-of-access-info", "DELETE /v1/storages/{a}/access-info", 404, "NotFound"),
    Row("method-of-capabilities", "PUT /v1/storages/{a}/capabilities", 404, "NotFound"),
    Row("method-trace", "TRACE /v1/volumes", 404, "NotFound"),
    Row("storages-new", "GET /v1/storages/new", 404, "StorageNotFound", said="new"),
]

BODIES = [
    Row("no-body", STORAGES, 400, "MalformedRequestBody", headers=JSON),
    Row("no-body-no-type", STORAGES, 400, "MalformedRequestBody"),
    Row("no-body-of-access-info", "PUT /v1/storages/{a}/access-info", 400, "MalformedRequestBody"),
    Row("no-json", STORAGES, 400, "MalformedRequestBody", body=b"{", headers=JSON),
    Row("no-text", STORAGES, 400, "MalformedRequestBody", body=b"\xff\xfe", headers=JSON),
    Row("two-values", STORAGES, 400, "MalformedRequestBody", body=b"{} {}", headers=JSON),
    Row("list", STORAGES, 400, "InvalidInput", body=[array(1)]),
    Row("text", STORAGES, 400, "InvalidInput", body="storage"),
    Row("null", STORAGES, 400, "InvalidInput", body=b"null", headers=JSON),
    Row("type-missing", STORAGES, 400, "BadRequest", said="Content-Type", body=b"{}", headers={"Content-Type": ""}),
    Row("type-of-a-form", STORAGES, 400, "BadRequest", said="Content-Type", body=b"a=1", headers=FORM),
    Row("other-charset", STORAGES, 400, "BadRequest", said="Content-Type", body=b"{}", headers=LATIN),
    Row("charset", STORAGES, 400, "InvalidInput", body=b"{}", headers=UTF8),
    Row("body-on-sync", "POST /v1/storages/{a}/sync", 400, "BadRequest", body={}),
    Row("body-on-sync-of-all", "POST /v1/storages/sync", 400, "BadRequest", body={}),
    Row("body-on-delete", "DELETE /v1/storages/{a}", 400, "BadRequest", body={}),
    Row("body-on-get", "GET /v1/volumes", 400, "BadRequest", body={}),
]

# What the array says at registration: the driver's error, HTTP status, error_code.
SAID_BY_ARRAYS = [
    ("login:password", 400, "InvalidUsernameOrPassword"),
    ("login:credential", 400, "InvalidCredential"),
    ("login:permission", 400, "ArrayPermissionDenied"),
    ("login:address", 400, "InvalidIpOrPort"),
    ("login:certificate", 400, "SSLCertificateFailed"),
    ("login:handshake", 400, "SSLHandshakeFailed"),
    ("login:not_found", 404, "StorageBackendNotFound"),
    ("storage:no_serial", 400, "InvalidResults"),
    ("login:bad_response", 502, "BadResponse"),
    ("login:error", 502, "StorageBackendException"),
    ("login:bug", 502, "DriverFault"),
    ("storage:broken", 502, "DriverBrokeContract"),
    ("login:unavailable", 503, "ArrayUnreachable"),
    ("login:connect_timeout", 503, "ConnectTimeout"),
    ("login:busy", 503, "ArrayBusy"),
    ("login:max_users", 503, "StorageMaxUserCountException"),
    ("login:timeout", 504, "ArrayTimeout"),
    ("login:unsupported", 501, "StorageCapabilityNotSupported"),
]


def _says_when(_: World, reply: Reply) -> None:
    """When to come back stands in the body and in a header."""
    assert reply.json["retryAfter"] == int(reply.headers["retry-after"]) > 0


def _says_not_when(_: World, reply: Reply) -> None:
    assert "retryAfter" not in reply.json
    assert "retry-after" not in reply.headers


def arrays() -> Iterator[Row]:
    """Each error of an array, with the status that its reason has."""
    for number, (fault, status, code) in enumerate(SAID_BY_ARRAYS):
        body = fake_array(9100 + number, fail=fault)
        check = _says_when if fault == "login:busy" else _says_not_when
        yield Row(fault.replace(":", "-"), STORAGES, status, code, body=body, check=check)
    unknown = {**array(9199), "vendor": "nobody"}
    yield Row("no-driver", STORAGES, 404, "StorageDriverNotFound", said="nobody", body=unknown)
    other_case = {**array(9199), "vendor": "Test"}
    yield Row("vendor-in-other-case", STORAGES, 404, "StorageDriverNotFound", said="Test", body=other_case)
    yield Row("registered-already", STORAGES, 400, "StorageAlreadyExists", body=array(9001))
    other_name = array(9001, storage_name="another")
    yield Row("registered-under-another-name", STORAGES, 400, "StorageAlreadyExists", body=other_name)
    attributes = array(9001, extra_attributes={"colour": "red"})
    yield Row("registered-with-other-attributes", STORAGES, 400, "StorageAlreadyExists", body=attributes)


TABLE = [*PATHS, *BODIES, *arrays()]
