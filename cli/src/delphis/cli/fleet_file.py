"""fleet.yaml: the storages that shall be registered, with references in place of secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from delphis.cli import documents, fleet_collection
from delphis.cli.documents import Reader
from delphis.inventory.v1 import inventory_pb2
from delphis.telemetry.v1 import telemetry_pb2
from delphis.type.v1 import storage_pb2

FLEET_LABEL = "delphis.dev/fleet"
"""On each storage that a file owns: the name of its fleet."""

_NOT_HERE = ("request_id", "validate_only", "storage_name")
_OWN_KEYS = ("name", "pause", "collection")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One storage of the file."""

    name: str
    request: inventory_pb2.RegisterStorageRequest
    """As it would be registered; secrets are empty until `Fleet.with_secrets`."""
    has_labels: bool
    has_pause: bool
    pause: storage_pb2.Pause | None
    collection: telemetry_pb2.CollectionSettings | None
    """How its metrics shall be collected."""
    names_kinds: bool
    """The times of all its kinds are given."""
    referred: frozenset[str]
    """Attributes of the driver that are given by reference."""
    content: Mapping[str, Any]
    place: str


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """What a file says."""

    name: str | None
    storages: tuple[Wanted, ...]
    reader: Reader

    def with_secrets(self, wanted: Wanted) -> inventory_pb2.RegisterStorageRequest:
        """The storage as it is registered, secrets read from where they are.

        Raises:
            WrongSettings: one of them can't be read.
        """
        return _request(self.reader, wanted.content, wanted.place, self.name)


def read(file: IO[str]) -> Fleet:
    """The file's fleet.

    Raises:
        WrongSettings: the file is not as it should be.
    """
    folder = documents.folder_of(file)
    reader = Reader(file.name, folder, plain_secrets=False)
    blind = Reader(file.name, folder, plain_secrets=False, resolve=False)
    content = reader.mapping(documents.load(file), "")
    for key in content:
        # x-… is for YAML's anchors: what several storages have in common.
        if key not in ("fleet", "storages") and not key.startswith("x-"):
            raise reader.wrong(key, "is unknown; here may stand fleet, storages, and x-… for anchors")
    fleet = content.get("fleet")
    if fleet is not None and (not isinstance(fleet, str) or not 0 < len(fleet) <= 255):
        raise reader.wrong("fleet", "must be a name of 1 to 255 characters")
    items = content.get("storages")
    if not isinstance(items, list):
        raise reader.wrong("storages", "must be a list of storages")
    found: dict[str, Wanted] = {}
    for number, item in enumerate(items, 1):
        wanted = _wanted(blind, item, f"storages[{number}]", fleet)
        if wanted.name in found:
            raise reader.wrong(wanted.place, f"the name {wanted.name!r} stands twice; it tells storages apart")
        found[wanted.name] = wanted
    return Fleet(name=fleet, storages=tuple(found.values()), reader=reader)


def _wanted(reader: Reader, item: Any, place: str, fleet: str | None) -> Wanted:
    content = reader.mapping(item, place)
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise reader.wrong(f"{place}.name", "must be a text: the file tells its storages apart by it")
    request = _request(reader, content, place, fleet)
    for key in ("vendor", "model"):
        if not getattr(request, key):
            raise reader.wrong(f"{place}.{key}", "is missing; see `delphis drivers list`")
    pause = content.get("pause")
    wanted_pause = None
    if pause not in (None, False):
        wanted_pause = reader.fill(storage_pb2.Pause(), {} if pause is True else pause, f"{place}.pause")
    collection = content.get("collection")
    referred = content.get("extraAttributesFrom") or content.get("extra_attributes_from") or {}
    return Wanted(
        name=name,
        request=request,
        has_labels="labels" in content,
        has_pause="pause" in content,
        pause=wanted_pause,
        collection=None if collection is None else fleet_collection.read(reader, collection, f"{place}.collection"),
        names_kinds=fleet_collection.names_kinds(collection),
        referred=frozenset(referred),
        content=content,
        place=place,
    )


def _request(
    reader: Reader, content: Mapping[str, Any], place: str, fleet: str | None
) -> inventory_pb2.RegisterStorageRequest:
    for key in _NOT_HERE:
        if key in content:
            raise reader.wrong(f"{place}.{key}", "can't be set in this file")
    given = {key: value for key, value in content.items() if key not in _OWN_KEYS}
    request = reader.fill(inventory_pb2.RegisterStorageRequest(), given, place)
    if FLEET_LABEL in request.labels:
        raise reader.wrong(f"{place}.labels", f"{FLEET_LABEL} is set by `fleet:` at the top")
    request.storage_name = content["name"]
    if fleet is not None:
        request.labels[FLEET_LABEL] = fleet
    return request
