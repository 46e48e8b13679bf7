"""An array that is to become a storage: what its caller gave, checked before anybody is asked about it."""

from __future__ import annotations

from collections.abc import Mapping

from delphis.inventory.v1 import inventory_pb2
from delphis.type.v1 import access_pb2
from services.calls.errors import invalid
from services.inventory.access import rules
from services.inventory.storages.settings import check_labels, check_text, sync_interval_of

Candidate = inventory_pb2.RegisterStorageRequest | inventory_pb2.ImportStorageRequest


def checked(request: Candidate) -> access_pb2.AccessInfo:
    """The access info of a valid request, or INVALID_INPUT with the field's name."""
    vendor, model = _driver_names(request)
    for field, value in (("vendor", vendor), ("model", model)):
        if not value:
            raise invalid(field, f"'{field}' is a required property.")
        check_text(field, value)
    if request.HasField("storage_name"):
        check_text("storage_name", request.storage_name)
    check_labels(request.labels)
    if request.HasField("sync_interval"):
        sync_interval_of("sync_interval", request.sync_interval)
    rules.check_some_block(request)
    rules.check_blocks(request)
    rules.check_extra_attributes(request.extra_attributes)
    return _access_of(request, vendor, model)


def sync_interval(request: Candidate) -> int:
    """Microseconds between two syncs; 0: the default."""
    return sync_interval_of("sync_interval", request.sync_interval) if request.HasField("sync_interval") else 0


def _access_of(request: Candidate, vendor: str, model: str) -> access_pb2.AccessInfo:
    access = access_pb2.AccessInfo(vendor=vendor, model=model)
    if request.HasField("storage_name"):
        access.storage_name = request.storage_name
    for name, block in rules.given_blocks(request):
        getattr(access, name).CopyFrom(block)
    access.rest.ClearField("vendor")
    access.rest.ClearField("model")
    if not request.HasField("rest"):
        access.ClearField("rest")
    access.extra_attributes.update(request.extra_attributes)
    return access


def _driver_names(request: Candidate) -> tuple[str, str]:
    """Vendor and model: of the request, or as SODA Delfin's driver guide prints it, of its `rest`."""
    names: dict[str, str] = {"vendor": request.vendor, "model": request.model}
    inside: Mapping[str, str] = {"vendor": request.rest.vendor, "model": request.rest.model}
    for field, value in inside.items():
        if value and names[field] and value != names[field]:
            raise invalid(f"rest.{field}", f"It differs from {field}; give it once.")
        names[field] = names[field] or value
    return names["vendor"], names["model"]
