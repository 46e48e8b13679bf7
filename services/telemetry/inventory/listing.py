"""The resources of an array, from the core, and when it was asked for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor

from delphis.inventory.v1 import inventory_pb2, job_pb2, resource_pb2
from delphis.type.v1 import options_pb2
from services.fleet.core import Core

PAGE = 1000
SECONDS = 30.0
_INVENTORY = inventory_pb2.DESCRIPTOR.services_by_name["InventoryService"].full_name
_SERVICE = resource_pb2.DESCRIPTOR.services_by_name["ResourceService"]
_READ = frozenset(
    {job_pb2.KIND_OUTCOME_OK, job_pb2.KIND_OUTCOME_PARTIAL, job_pb2.KIND_OUTCOME_SUSPICIOUS}
)  # in the last two, what there is was read all the same


def _lists() -> dict[str, MethodDescriptor]:
    """The methods that list a kind's resources."""
    found: dict[str, MethodDescriptor] = {}
    for method in _SERVICE.methods:
        if not method.name.startswith("List") or "storage_id" not in method.input_type.fields_by_name:
            continue
        items = [field.message_type for field in method.output_type.fields if field.is_repeated]
        kinds = [item.GetOptions().Extensions[options_pb2.resource].kind for item in items if item is not None]
        if len(kinds) == 1 and kinds[0]:
            found[kinds[0]] = method
    return found


_LISTS = _lists()


async def resources(core: Core, storage_id: str, kind: str) -> AsyncIterator[Any]:
    """The messages of a kind, as REST shows them. CallError where the core does not answer."""
    method = _LISTS[kind]
    answer: Any = message_factory.GetMessageClass(method.output_type)
    request: Any = message_factory.GetMessageClass(method.input_type)(storage_id=storage_id, page_size=PAGE)
    items = next(field.name for field in method.output_type.fields if field.is_repeated)
    while True:
        page = await core.ask(f"/{_SERVICE.full_name}/{method.name}", request, answer, timeout=SECONDS)
        for item in getattr(page, items):
            yield item
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


async def read_times(core: Core, storage_id: str) -> dict[str, int]:
    """When each kind was last read from the array, in milliseconds; `storage` for the array itself. CallError where
    the core does not answer."""
    request = inventory_pb2.GetSyncStateRequest(storage_id=storage_id)
    state = await core.ask(f"/{_INVENTORY}/GetSyncState", request, inventory_pb2.SyncState, timeout=SECONDS)
    found = {
        kind.kind: (kind.ended_at if kind.outcome in _READ else kind.last_success_at).ToMilliseconds()
        for kind in state.kinds
    }
    return {kind: at for kind, at in found.items() if at}


def identity(item: Any) -> tuple[str, str]:
    """Native id and name: the first two fields of every resource."""
    first, second = item.DESCRIPTOR.fields_by_number[1], item.DESCRIPTOR.fields_by_number[2]
    return getattr(item, first.name), getattr(item, second.name)
