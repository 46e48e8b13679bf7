"""Lists of the core, page by page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable
from typing import Protocol, TypeVar

from google.protobuf.message import Message

from delphis.inventory.v1 import inventory_pb2, resource_pb2
from delphis.type.v1 import access_pb2, hardware_pb2, storage_pb2
from services.fleet.storage import Storage, storage_of

PAGE = 1000
SECONDS = 30.0
_INVENTORY = f"/{inventory_pb2.DESCRIPTOR.services_by_name['InventoryService'].full_name}"
_RESOURCES = f"/{resource_pb2.DESCRIPTOR.services_by_name['ResourceService'].full_name}"

Answer = TypeVar("Answer", bound=Message)


class Core(Protocol):
    """Calls of the core with the token of Delphis' own processes. What fails is a CallError."""

    async def ask(self, path: str, request: Message, answer: type[Answer], *, timeout: float) -> Answer:
        """Calls a unary method by its path."""
        ...

    def stream(
        self, path: str, request: Message, answer: type[Answer], *, timeout: float | None
    ) -> AsyncIterator[Answer]:
        """Calls a method that answers a stream."""
        ...


async def storages(core: Core, ids: Collection[str] | None = None) -> dict[str, Storage]:
    """The storages by id, with hosts and controllers: all, or those of the ids that there are."""
    found: dict[str, storage_pb2.Storage] = {}
    request = inventory_pb2.ListStoragesRequest(page_size=PAGE, filter=_among("id", ids))
    while True:
        page = await core.ask(
            f"{_INVENTORY}/ListStorages", request, inventory_pb2.ListStoragesResponse, timeout=SECONDS
        )
        found.update((storage.id, storage) for storage in page.storages)
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    accesses = await _accesses(core, ids)
    controllers = await _controllers(core, ids)
    return {id_: storage_of(message, accesses.get(id_), controllers.get(id_, ())) for id_, message in found.items()}


async def _accesses(core: Core, ids: Collection[str] | None) -> dict[str, access_pb2.AccessInfo]:
    found: dict[str, access_pb2.AccessInfo] = {}
    request = inventory_pb2.ListAccessInfosRequest(page_size=PAGE, filter=_among("storage_id", ids))
    while True:
        page = await core.ask(
            f"{_INVENTORY}/ListAccessInfos", request, inventory_pb2.ListAccessInfosResponse, timeout=SECONDS
        )
        found.update((access.storage_id, access) for access in page.access_infos)
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def _controllers(core: Core, ids: Collection[str] | None) -> dict[str, list[hardware_pb2.Controller]]:
    found: defaultdict[str, list[hardware_pb2.Controller]] = defaultdict(list)
    request = resource_pb2.ListControllersRequest(page_size=PAGE, filter=_among("storage_id", ids))
    while True:
        page = await core.ask(
            f"{_RESOURCES}/ListControllers", request, resource_pb2.ListControllersResponse, timeout=SECONDS
        )
        for controller in page.controllers:
            found[controller.storage_id].append(controller)
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


def _among(field: str, ids: Iterable[str] | None) -> str:
    return "" if ids is None else " OR ".join(f'{field} = "{id_}"' for id_ in sorted(ids))
