"""Resources in a store, and calls of the services that answer about them."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from delphis.inventory.v1 import resource_pb2
from services.calls.method import Call, Caller, Method
from services.inventory.changes import service as changes
from services.inventory.kinds import KINDS
from services.inventory.resources import service as resources
from services.store.engine import Store
from tests.sync.arrays import Array


class Services:
    """Calls ResourceService and ChangeService with messages."""

    def __init__(self, store: Store) -> None:
        self.store = store
        found = [*resources.methods(store), *changes.methods(store)]
        self._methods: dict[str, Method] = {method.path.rpartition("/")[2]: method for method in found}

    def _call(self, method: Method) -> Call:
        return Call(method, Caller("test", frozenset()), "request", 0.0, "peer")

    async def call(self, name: str, request: Message, answer: type[Any]) -> Any:
        """The answer of a method."""
        method = self._methods[name]
        assert method.unary is not None
        return answer.FromString(await method.unary(request.SerializeToString(), self._call(method)))

    async def get(self, kind: str, id_: str) -> Any:
        """One resource."""
        described = KINDS[kind]
        name = f"Get{described.message.DESCRIPTOR.name}"
        request = getattr(resource_pb2, f"{name}Request")(id=id_)
        return await self.call(name, request, described.message)

    async def page(self, kind: str, **fields: Any) -> tuple[list[Any], str]:
        """A page of a kind, and the token of the next."""
        name = f"List{KINDS[kind].rpc}"
        request = getattr(resource_pb2, f"{name}Request")(**fields)
        answer = await self.call(name, request, getattr(resource_pb2, f"{name}Response"))
        return list(getattr(answer, KINDS[kind].plural)), answer.next_page_token

    async def walk(self, kind: str, **fields: Any) -> list[Any]:
        """All pages."""
        found, token = await self.page(kind, **fields)
        while token:
            more, token = await self.page(kind, page_token=token, **fields)
            assert more, "a page that was announced is not empty"
            found += more
        return found


async def array_of(store: Store, kind: str, items: list[Any]) -> Array:
    """A new array that holds the items."""
    array = await Array.new(store, kind)
    await array.sync(items, later=0)
    return array
