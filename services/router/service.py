"""StorageDriver for callers of Delphis: they name a storage, the router does the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from services.calls.errors import CallError
from services.calls.method import Call, Method, Stream, Unary, methods_of
from services.router import target
from services.router.methods import METHODS, SERVICE
from services.router.router import Router


def methods(router: Router) -> Iterator[Method]:
    """The service for a method table."""
    handlers: dict[str, Unary | Stream] = {}
    for name, options in METHODS.items():
        if name == "GetDriverInfo":
            handlers[name] = _driver_info
        else:
            handlers[name] = _stream(router, name) if options.streaming else _unary(router, name)
    return methods_of(SERVICE, handlers)


def _unary(router: Router, name: str) -> Unary:
    async def relay(body: bytes, call: Call) -> bytes:
        storage_id, rest = target.split(body)
        call.resource_id = storage_id
        return await router.unary(name, storage_id, rest, deadline=call.deadline, request_id=call.request_id)

    return relay


def _stream(router: Router, name: str) -> Stream:
    async def relay(body: bytes, call: Call) -> AsyncIterator[bytes]:
        storage_id, rest = target.split(body)
        call.resource_id = storage_id
        answers = router.stream(name, storage_id, rest, deadline=call.deadline, request_id=call.request_id)
        try:
            async for answer in answers:
                yield answer
        finally:
            await answers.aclose()  # type: ignore[attr-defined]  # it is a generator

    return relay


async def _driver_info(body: bytes, call: Call) -> bytes:
    raise CallError(
        "STORAGE_CAPABILITY_NOT_SUPPORTED",
        "Through the router no single host can be asked; RegistryService.GetDriver tells about a driver.",
    )
