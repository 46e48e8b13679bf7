"""The handlers of SinkService."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.calls.errors import invalid
from services.calls.method import Call, Method, methods_of, unary
from services.store.engine import Store
from services.telemetry.sinks import records
from services.telemetry.sinks.checks import check_sink
from services.telemetry.sinks.records import HISTORY, StoredSink
from services.telemetry.sinks.secrets import carry_over, public, secret
from services.telemetry.sinks.sinks import Sinks
from services.values import uuids
from services.vault.errors import Undecryptable, VaultError


class SinkService:
    """Answers SinkService."""

    def __init__(self, store: Store, sinks: Sinks) -> None:
        self._store = store
        self._sinks = sinks

    def methods(self) -> Iterator[Method]:
        """The service for a method table."""
        return methods_of(
            pb.DESCRIPTOR.services_by_name["SinkService"],
            {
                "CreateSink": unary(pb.CreateSinkRequest, self._create),
                "GetSink": unary(pb.GetSinkRequest, self._get),
                "ListSinks": unary(pb.ListSinksRequest, self._list),
                "UpdateSink": unary(pb.UpdateSinkRequest, self._update),
                "DeleteSink": unary(pb.DeleteSinkRequest, self._delete),
            },
        )

    async def _create(self, request: pb.CreateSinkRequest, call: Call) -> pb.Sink:
        sink = _given(request.sink)
        check_sink(sink)
        id_ = uuid.uuid4().bytes
        sealed = await self._sinks.sealed(id_, secret(sink))
        shown = public(sink)
        stored = await self._store.write(lambda connection: records.add(connection, id_, shown, sealed))
        call.resource_id = uuids.text(id_)
        return await self._answer(stored)

    async def _get(self, request: pb.GetSinkRequest, _: Call) -> pb.Sink:
        if request.id == HISTORY:
            return _history()
        return await self._answer(await self._load(request.id))

    async def _list(self, _: pb.ListSinksRequest, __: Call) -> pb.ListSinksResponse:
        shown = await self._sinks.shown(await self._store.read(records.load_all))
        return pb.ListSinksResponse(sinks=sorted([*shown, _history()], key=lambda sink: sink.name))

    async def _update(self, request: pb.UpdateSinkRequest, call: Call) -> pb.Sink:
        call.resource_id = request.id
        _not_history(request.id, "changed")
        stored = await self._load(request.id)
        sink = _given(request.sink)
        # Secrets that are lost can't be carried over: then they must be given, which the checks see to.
        with contextlib.suppress(Undecryptable, VaultError):
            carry_over(await self._sinks.opened(stored), sink)
        check_sink(sink)
        sealed = await self._sinks.sealed(stored.id, secret(sink))
        shown = public(sink)
        changed = await self._store.write(lambda connection: records.replace(connection, stored.id, shown, sealed))
        return await self._answer(changed)

    async def _delete(self, request: pb.DeleteSinkRequest, call: Call) -> pb.DeleteSinkResponse:
        call.resource_id = request.id
        _not_history(request.id, "removed")
        await self._store.write(lambda connection: records.remove(connection, request.id))
        return pb.DeleteSinkResponse()

    async def _load(self, sink_id: str) -> StoredSink:
        return await self._store.read(lambda connection: records.load(connection, sink_id))

    async def _answer(self, stored: StoredSink) -> pb.Sink:
        [shown] = await self._sinks.shown([stored])
        return shown


def _history() -> pb.Sink:
    return pb.Sink(id=HISTORY, name=HISTORY, history=pb.HistorySink(), status=pb.SinkStatus())


def _not_history(sink_id: str, what: str) -> None:
    if sink_id == HISTORY:
        raise invalid("id", f"The history can't be {what}.")


def _given(sink: pb.Sink) -> pb.Sink:
    """What a caller says of a sink; what we set is left out."""
    given = pb.Sink()
    given.CopyFrom(sink)
    for name in ("id", "status", "created_at", "updated_at"):
        given.ClearField(name)
    return given
