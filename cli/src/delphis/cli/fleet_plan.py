"""What has to be done so that the registered storages are as a file says; and doing it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from delphis.cli import cells, fleet_collection, registration
from delphis.cli.connection import Connection, pages
from delphis.cli.failures import Failure
from delphis.cli.fleet_file import FLEET_LABEL, Fleet, Wanted
from delphis.cli.names import all_storages, inventory, name_of
from delphis.inventory.v1 import inventory_pb2
from delphis.registry.v1 import registry_pb2, registry_pb2_grpc
from delphis.telemetry.v1 import telemetry_pb2, telemetry_pb2_grpc
from delphis.type.v1 import access_pb2, storage_pb2

LOGIN_TIMEOUT = 95.0  # seconds
BLOCKS = ("rest", "ssh", "cli", "smis")
# Kept by the server where a block does not name them.
_PROOFS = ("tls", "pub_key", "pub_key_type", "host_key_policy")
_EXTRA = "extra_attributes."


@dataclass(frozen=True)
class Difference:
    """A field that is not as the file says; None where it is unset."""

    field: str
    old: Any
    new: Any


@dataclass(kw_only=True)
class Step:
    """What is done about one storage."""

    action: str
    """register, update, remove, unchanged, or impossible."""
    name: str
    storage_id: str = ""
    differences: list[Difference] = field(default_factory=list)
    settings: inventory_pb2.UpdateStorageRequest | None = None
    collection: telemetry_pb2.UpdateCollectionRequest | None = None
    access: bool = False
    """Whether the access info is sent."""
    wanted: Wanted | None = None
    request: inventory_pb2.RegisterStorageRequest | None = None
    """With secrets, once they were read."""
    problem: str = ""
    failure: Failure | None = None

    @property
    def to_do(self) -> bool:
        """Whether the server is asked for anything."""
        return self.action in ("register", "update", "remove")


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the server has."""

    storages: list[storage_pb2.Storage]
    access: Mapping[str, access_pb2.AccessInfo]
    plain_keys: Mapping[tuple[str, str], frozenset[str]]
    secret_keys: Mapping[tuple[str, str], frozenset[str]]
    collections: Mapping[str, telemetry_pb2.CollectionSettings]


def look(connection: Connection, fleet: Fleet) -> Known:
    """Reads what the plan needs: storages, access infos without secrets, what drivers declare, and how metrics are
    collected, where the file says anything of that."""
    request = inventory_pb2.ListAccessInfosRequest()
    infos: Any = pages(connection, inventory(connection).ListAccessInfos, request, "access_infos")
    access = {info.storage_id: info for page, _ in infos for info in page}
    stub = registry_pb2_grpc.RegistryServiceStub(connection.channel)
    plain: dict[tuple[str, str], frozenset[str]] = {}
    secret: dict[tuple[str, str], frozenset[str]] = {}
    for driver in connection.call(stub.ListDrivers, registry_pb2.ListDriversRequest()).drivers:
        declared = [each for each in driver.access_fields if each.path.startswith(_EXTRA)]
        for pair in driver.serves:
            if pair.in_use:
                key = (pair.vendor, pair.model)
                plain[key] = frozenset(each.path.removeprefix(_EXTRA) for each in declared if each.plain)
                secret[key] = frozenset(each.path.removeprefix(_EXTRA) for each in declared if not each.plain)
    return Known(
        storages=list(all_storages(connection)),
        access=access,
        plain_keys=plain,
        secret_keys=secret,
        collections=_collections(connection) if any(each.collection for each in fleet.storages) else {},
    )


def _collections(connection: Connection) -> dict[str, telemetry_pb2.CollectionSettings]:
    stub = telemetry_pb2_grpc.CollectionServiceStub(connection.channel)
    request = telemetry_pb2.ListCollectionStatusesRequest()
    statuses: Any = pages(connection, stub.ListCollectionStatuses, request, "collections")
    return {status.storage_id: status.settings for page, _ in statuses for status in page}


def plan(fleet: Fleet, known: Known, *, prune: bool, resend_secrets: bool) -> list[Step]:
    """The steps, in the file's order; removals last."""
    steps = [_step(fleet, wanted, known, resend_secrets=resend_secrets) for wanted in fleet.storages]
    taken = {step.storage_id for step in steps}
    if fleet.name is not None:
        for storage in known.storages:
            if storage.labels.get(FLEET_LABEL) == fleet.name and storage.id not in taken:
                action = "remove" if prune else "left over"
                steps.append(Step(action=action, name=name_of(storage), storage_id=storage.id))
    return steps


def _step(fleet: Fleet, wanted: Wanted, known: Known, *, resend_secrets: bool) -> Step:
    pair = (wanted.request.vendor, wanted.request.model)
    for key in sorted(wanted.request.extra_attributes.keys() - wanted.referred):
        if key in known.secret_keys.get(pair, ()):
            problem = f"extra_attributes.{key} is a secret: give it under extraAttributesFrom as {{env: NAME}}"
            return Step(action="impossible", name=wanted.name, problem=problem)
    named = [storage for storage in known.storages if storage.display_name == wanted.name]
    if len(named) > 1:
        named = [storage for storage in named if storage.labels.get(FLEET_LABEL) == fleet.name] or named
    if not named:
        step = Step(action="register", name=wanted.name, wanted=wanted)
        step.differences = [Difference(name, None, value) for name, value in _registered(wanted)]
        step.settings = _pause(wanted, None, step)
        step.collection = _collection(wanted, None, step)
        return step
    if len(named) > 1:
        ids = ", ".join(storage.id for storage in named)
        return Step(action="impossible", name=wanted.name, problem=f"several storages have this name: {ids}")
    [storage] = named
    step = Step(action="unchanged", name=wanted.name, storage_id=storage.id, wanted=wanted)
    owner = storage.labels.get(FLEET_LABEL)
    if owner is not None and owner != fleet.name:
        step.problem = f"it belongs to the fleet {owner!r}; remove the label {FLEET_LABEL} from it to take it over"
    elif (storage.driver_vendor, storage.driver_model) != pair:
        step.problem = (
            f"it is registered for {storage.driver_vendor} {storage.driver_model}, which can't change to "
            f"{pair[0]} {pair[1]}; remove it first"
        )
    if step.problem:
        step.action = "impossible"
        return step
    step.settings = _settings(wanted, storage, step)
    step.collection = _collection(wanted, known.collections.get(storage.id), step)
    found = _access(wanted, known.access.get(storage.id), known.plain_keys.get(pair, frozenset()))
    if not found and resend_secrets:
        found = [Difference("secrets", "not known", "sent again")]
    step.access = bool(found)
    step.differences += found
    if step.differences:
        step.action = "update"
    return step


def _registered(wanted: Wanted) -> Iterator[tuple[str, Any]]:
    for name, value in flat(wanted.request).items():
        if name not in ("storage_name", "validate_only") and value not in ("", [], {}):
            yield name, value


def _settings(wanted: Wanted, storage: storage_pb2.Storage, step: Step) -> inventory_pb2.UpdateStorageRequest | None:
    request = inventory_pb2.UpdateStorageRequest(storage_id=storage.id)
    labels = dict(wanted.request.labels)
    if not wanted.has_labels:
        labels = {**storage.labels, **labels}
    if labels != dict(storage.labels):
        for key in sorted({*labels, *storage.labels}):
            if labels.get(key) != storage.labels.get(key):
                step.differences.append(Difference(f"labels.{key}", storage.labels.get(key), labels.get(key)))
        request.settings.labels.update(labels)
        request.update_mask.paths.append("labels")
    interval = wanted.request.sync_interval
    if wanted.request.HasField("sync_interval") and interval != storage.sync_interval:
        old = cells.text(storage, "sync_interval") if storage.HasField("sync_interval") else None
        step.differences.append(Difference("sync_interval", old, cells.text(wanted.request, "sync_interval")))
        request.settings.sync_interval.CopyFrom(interval)
        request.update_mask.paths.append("sync_interval")
    if pause := _pause(wanted, storage.pause if storage.HasField("pause") else None, step):
        request.MergeFrom(pause)
    return request if request.update_mask.paths else None


def _collection(
    wanted: Wanted, current: telemetry_pb2.CollectionSettings | None, step: Step
) -> telemetry_pb2.UpdateCollectionRequest | None:
    if wanted.collection is None:
        return None
    current = current or telemetry_pb2.CollectionSettings()
    found = fleet_collection.differences(wanted.collection, current, all_kinds=wanted.names_kinds)
    step.differences += [Difference(name, old, new) for name, old, new in found]
    request = fleet_collection.change(wanted.collection, current, all_kinds=wanted.names_kinds)
    if request is not None:
        request.storage_id = step.storage_id
    return request


def _pause(wanted: Wanted, current: storage_pb2.Pause | None, step: Step) -> inventory_pb2.UpdateStorageRequest | None:
    new = wanted.pause
    if (
        new is not None
        and new.HasField("until")
        and new.until.ToDatetime(datetime.UTC) <= datetime.datetime.now(datetime.UTC)
    ):
        new = None  # it is over
    if not wanted.has_pause or _pause_text(new) == _pause_text(current):
        return None
    step.differences.append(Difference("pause", _pause_text(current), _pause_text(new)))
    request = inventory_pb2.UpdateStorageRequest()
    request.update_mask.paths.append("pause")
    if new is not None:
        request.settings.pause.CopyFrom(new)
    return request


def _pause_text(pause: storage_pb2.Pause | None) -> str | None:
    if pause is None:
        return None
    until = f", until {cells.moment(pause.until)}" if pause.HasField("until") else ""
    return (pause.reason or "yes") + until


def _access(wanted: Wanted, current: access_pb2.AccessInfo | None, plain: frozenset[str]) -> list[Difference]:
    """What differs of what can be seen; secrets can't."""
    current = current or access_pb2.AccessInfo()
    found: list[Difference] = []
    for name in BLOCKS:
        if not wanted.request.HasField(name):  # type: ignore[arg-type]
            continue
        block, old_block = getattr(wanted.request, name), getattr(current, name)
        new, old = flat(block), flat(old_block)
        kept = [proof for proof in _PROOFS if proof in block.DESCRIPTOR.fields_by_name and not block.HasField(proof)]
        found += [
            Difference(f"{name}.{key}", old.get(key), new.get(key))
            for key in sorted({*new, *old})
            if key.split(".")[0] not in kept and new.get(key) != old.get(key)
        ]
    given, seen = wanted.request.extra_attributes, current.extra_attributes
    if given:
        for key in sorted({*given, *seen}):
            if key in wanted.referred or (key not in seen and key not in plain):
                continue
            if given.get(key) != seen.get(key):
                found.append(Difference(_EXTRA + key, seen.get(key), given.get(key)))
    return found


def flat(message: Message) -> dict[str, Any]:
    """What is set and no secret, by paths such as `tls.mode`."""

    def walk(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for key, value in values.items():
            if isinstance(value, dict):
                yield from walk(value, f"{prefix}{key}.")
            else:
                yield prefix + key, value

    return dict(walk(cells.plain(message), ""))


def read_secrets(fleet: Fleet, steps: list[Step]) -> None:
    """Follows the references of all that is sent, before anything is sent.

    Raises:
        WrongSettings: one of them can't be read.
    """
    for step in steps:
        if step.wanted is not None and (step.action == "register" or step.access):
            step.request = fleet.with_secrets(step.wanted)


def take(connection: Connection, step: Step) -> Step:
    """Does what the step says; the failure is kept in it."""
    try:
        if step.action == "register":
            _register(connection, step)
        elif step.action == "update":
            _update(connection, step)
        elif step.action == "remove":
            request = inventory_pb2.DeleteStorageRequest(storage_id=step.storage_id)
            connection.call(inventory(connection).DeleteStorage, request)
    except Failure as failure:
        if failure.reason == "STORAGE_ALREADY_EXISTS":
            other = failure.metadata.get("storage_id", "ID")
            failure.hint = f"delphis storages update {other} --name {step.name}, where that is the same array"
        step.failure = failure
    return step


def _register(connection: Connection, step: Step) -> None:
    assert step.request is not None
    step.request.request_id = registration.new_request_id()
    timeout = max(connection.settings.timeout, LOGIN_TIMEOUT)
    stored = connection.call(inventory(connection).RegisterStorage, step.request, timeout=timeout)
    step.storage_id = stored.id
    if step.settings is not None:
        step.settings.storage_id = stored.id
        connection.call(inventory(connection).UpdateStorage, step.settings)
    _set_collection(connection, step)


def _update(connection: Connection, step: Step) -> None:
    stub = inventory(connection)
    if step.access:
        # First what the array must agree to: if it does not, nothing of the storage changes.
        assert step.request is not None
        request = inventory_pb2.UpdateAccessInfoRequest(
            storage_id=step.storage_id, extra_attributes=step.request.extra_attributes
        )
        for name in BLOCKS:
            if step.request.HasField(name):  # type: ignore[arg-type]
                getattr(request, name).CopyFrom(getattr(step.request, name))
        timeout = max(connection.settings.timeout, LOGIN_TIMEOUT)
        connection.call(stub.UpdateAccessInfo, request, timeout=timeout)
    if step.settings is not None:
        connection.call(stub.UpdateStorage, step.settings)
    _set_collection(connection, step)


def _set_collection(connection: Connection, step: Step) -> None:
    if step.collection is not None:
        step.collection.storage_id = step.storage_id
        stub = telemetry_pb2_grpc.CollectionServiceStub(connection.channel)
        connection.call(stub.UpdateCollection, step.collection)
