"""Who the driver says it is, and whether it behaves so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import grpc
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

from delphis.sdk.conformance.bench import CHANGING, Bench
from delphis.sdk.conformance.catalogue import demands
from delphis.sdk.conformance.listing import resource_methods
from delphis.sdk.conformance.report import Problem
from delphis.sdk.host.contract import methods
from delphis.type.v1.access_pb2 import AccessInfo

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9][A-Za-z0-9_-]*)+")
_CORE = ("GetDriverInfo", "GetStorage", "ResetConnection", "CloseStorage")


@demands("identity.answers", "GetDriverInfo is answered without an array, a login or a target.")
def answers(bench: Bench) -> Iterator[Problem]:
    reply = bench.call("GetDriverInfo", b"")
    if not reply.ok:
        yield Problem(str(reply), "GetDriverInfo", "Answer it from what the driver knows of itself.")
        return
    try:
        methods()["GetDriverInfo"].response.FromString(b"".join(reply.payloads))
    except DecodeError:
        yield Problem("The answer is no GetDriverInfoResponse.", "GetDriverInfo", "Generate the stubs anew.")


@demands("identity.loads", "The driver's code can be loaded.")
def loads(bench: Bench) -> Iterator[Problem]:
    if error := bench.info.load_error:
        yield Problem(error.strip().splitlines()[0], "GetDriverInfo.load_error", "Mend the import; it has a traceback.")


@demands(
    "identity.names", "GetDriverInfo names the driver (reverse DNS), its version, a server_id, and what it serves."
)
def names(bench: Bench) -> Iterator[Problem]:
    info, subject = bench.info, bench.subject
    if not _NAME.fullmatch(info.name):
        yield Problem(f"The name is {info.name!r}.", "GetDriverInfo.name", "Use reverse DNS, such as dev.acme.box.")
    for field in ("version", "server_id", "runtime"):
        if not getattr(info, field).strip():
            yield Problem(f"The {field} is empty.", f"GetDriverInfo.{field}", "Set it.")
    if not info.serves:
        yield Problem("It serves no vendor and model.", "GetDriverInfo.serves", "Name the pairs.")
    pairs = [(pair.vendor, pair.model) for pair in info.serves]
    for pair in pairs:
        if any(not word or word != word.strip() for word in pair) or pairs.count(pair) > 1:
            yield Problem(f"The pair {pair} is empty, padded or named twice.", "GetDriverInfo.serves")
    if subject.name and info.name != subject.name:
        yield Problem(f"It calls itself {info.name!r}, not {subject.name!r}.", "GetDriverInfo.name", _AS_TOLD)
    if subject.version and info.version != subject.version:
        yield Problem(f"It has version {info.version!r}, not {subject.version!r}.", "GetDriverInfo.version", _AS_TOLD)
    if subject.serves and set(pairs) != set(subject.serves):
        yield Problem("It serves other pairs than it was told.", "GetDriverInfo.serves", _AS_TOLD)


_AS_TOLD = "Take it from DELPHIS_DRIVER_NAME, _VERSION and _SERVES, or make the manifest say the same."


@demands("identity.announced", "Announced methods are of the contract, GetStorage is one, and none is UNIMPLEMENTED.")
def announced(bench: Bench) -> Iterator[Problem]:
    for rpc in sorted(bench.announced - methods().keys()):
        yield Problem(f"{rpc} is no method of StorageDriver.", "GetDriverInfo.rpcs", "Remove it.")
    for rpc in _CORE:
        if rpc not in bench.announced:
            yield Problem(f"{rpc} is not announced, and every driver has it.", "GetDriverInfo.rpcs", "Announce it.")
    _ = bench.storage
    listed = {method.name for method in bench.list_methods()} if bench.announced & _listing_names() else set[str]()
    now = datetime.now(UTC)
    for rpc in sorted(bench.announced & methods().keys()):
        method = methods()[rpc]
        if rpc in (*CHANGING, "GetDriverInfo", "CloseStorage") or (rpc in _listing_names() and rpc not in listed):
            continue
        if rpc == "CollectPerfMetrics":
            request = bench.request(rpc)
            request.begin_time.FromDatetime(now - timedelta(minutes=15))  # type: ignore[attr-defined]
            request.end_time.FromDatetime(now)  # type: ignore[attr-defined]
            reply = bench.call(rpc, request)
        else:
            reply = bench.listing(method).reply if rpc in listed else bench.call(rpc)
        if reply.code == grpc.StatusCode.UNIMPLEMENTED:
            yield Problem(
                f"{rpc} is announced, yet UNIMPLEMENTED: {reply.message}",
                rpc,
                "Implement it, don't announce it, or leave its kind out of GetCapabilities.kinds for this array.",
            )


def _listing_names() -> frozenset[str]:
    return frozenset(method.name for method in resource_methods().values())


@demands("identity.unannounced", "A method that is not announced answers UNIMPLEMENTED.")
def unannounced(bench: Bench) -> Iterator[Problem]:
    for rpc in methods():
        if rpc in (*bench.announced, *CHANGING, "GetDriverInfo"):
            continue
        reply = bench.call(rpc)
        if reply.code != grpc.StatusCode.UNIMPLEMENTED:
            what = "is answered" if reply.ok else f"fails with {reply.code.name}"
            yield Problem(f"{rpc} is not announced, yet it {what}.", rpc, "Announce it, or answer UNIMPLEMENTED.")


@demands("identity.capabilities", "GetCapabilities names kinds that are announced, and metrics with name and unit.")
def capabilities(bench: Bench) -> Iterator[Problem]:
    bench.needs("GetCapabilities")
    reply = bench.call("GetCapabilities")
    if not reply.ok:
        yield Problem(str(reply), "GetCapabilities", "Answer it for every array that can be logged in to.")
        return
    found = bench.answer(reply).capabilities
    known = resource_methods()
    for kind in found.kinds:
        if kind not in known:
            yield Problem(f"There is no kind {kind!r}.", "capabilities.kinds", f"Kinds are {', '.join(known)}.")
        elif known[kind].name not in bench.announced:
            yield Problem(f"{kind} is listed by {known[kind].name}, which is not announced.", "capabilities.kinds")
    if found.resource_metrics and "CollectPerfMetrics" not in bench.announced:
        yield Problem("It names metrics, yet CollectPerfMetrics is not announced.", "capabilities.resource_metrics")
    for group in found.resource_metrics:
        where = f"capabilities.resource_metrics of {group.kind}"
        if group.kind != "storage" and group.kind not in known:
            yield Problem(f"There is no kind {group.kind!r}.", where)
        metric_names = [metric.name for metric in group.metrics]
        if not metric_names or not all(metric_names) or len(set(metric_names)) < len(metric_names):
            yield Problem("Metrics are missing, nameless or named twice.", where)
        for metric in group.metrics:
            if metric.unit not in ("1/s", "By/s", "s", "By", "1"):
                yield Problem(
                    f"{metric.name} has the unit {metric.unit!r}.", where, "Base units are 1/s, By/s, s, By and 1."
                )
        if group.interval.ToNanoseconds() < 0:
            yield Problem("The interval is negative.", where)


@demands("identity.access-fields", "Access fields name fields of AccessInfo, or keys of extra_attributes, once each.")
def access_fields(bench: Bench) -> Iterator[Problem]:
    _ = bench.announced
    seen: set[str] = set()
    for field in bench.info.access_fields:
        if not _is_access_field(field.path):
            yield Problem(
                f"{field.path!r} is no field of AccessInfo.", "GetDriverInfo.access_fields", "Such as rest.port."
            )
        if field.path in seen:
            yield Problem(f"{field.path!r} is named twice.", "GetDriverInfo.access_fields")
        seen.add(field.path)
        if field.plain and not field.path.startswith("extra_attributes."):
            yield Problem(
                f"{field.path!r} can't be plain.", "GetDriverInfo.access_fields", "Only extra attributes can."
            )


def _is_access_field(path: str) -> bool:
    if path.startswith("extra_attributes."):
        return bool(path.removeprefix("extra_attributes."))
    descriptor = AccessInfo.DESCRIPTOR
    *blocks, last = path.split(".")
    for block in blocks:
        found: FieldDescriptor | None = descriptor.fields_by_name.get(block)
        if found is None or found.message_type is None:
            return False
        descriptor = found.message_type
    return last in descriptor.fields_by_name
