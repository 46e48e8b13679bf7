"""DeliveryService."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

from delphis.alert.v1 import delivery_pb2 as pb
from services.alerts.delivery import receiver_records, silence_records
from services.alerts.delivery.delivery import Delivery
from services.alerts.delivery.receiver_checks import check_receiver, check_silence
from services.alerts.delivery.receiver_records import StoredReceiver
from services.alerts.delivery.receiver_secrets import carry_over, public, secret
from services.alerts.delivery.trial import tell_made_up
from services.calls.errors import CallError
from services.calls.method import Call, Method, methods_of, unary
from services.outbound.errors import DeliveryFault
from services.store.engine import Store
from services.values import times, uuids
from services.vault.errors import Undecryptable, VaultError


class DeliveryService:
    """The handlers."""

    def __init__(self, store: Store, delivery: Delivery) -> None:
        self._store = store
        self._delivery = delivery

    def methods(self) -> Iterator[Method]:
        """The service for a method table."""
        return methods_of(
            pb.DESCRIPTOR.services_by_name["DeliveryService"],
            {
                "CreateReceiver": unary(pb.CreateReceiverRequest, self._create_receiver),
                "GetReceiver": unary(pb.GetReceiverRequest, self._get_receiver),
                "ListReceivers": unary(pb.ListReceiversRequest, self._list_receivers),
                "UpdateReceiver": unary(pb.UpdateReceiverRequest, self._update_receiver),
                "DeleteReceiver": unary(pb.DeleteReceiverRequest, self._delete_receiver),
                "TestReceiver": unary(pb.TestReceiverRequest, self._test_receiver),
                "CreateSilence": unary(pb.CreateSilenceRequest, self._create_silence),
                "GetSilence": unary(pb.GetSilenceRequest, self._get_silence),
                "ListSilences": unary(pb.ListSilencesRequest, self._list_silences),
                "DeleteSilence": unary(pb.DeleteSilenceRequest, self._delete_silence),
            },
        )

    async def _create_receiver(self, request: pb.CreateReceiverRequest, call: Call) -> pb.Receiver:
        receiver = _given(request.receiver)
        check_receiver(receiver)
        id_ = uuid.uuid4().bytes
        sealed = await self._sealed(id_, receiver)
        shown = public(receiver)
        stored = await self._store.write(lambda connection: receiver_records.add(connection, id_, shown, sealed))
        call.resource_id = uuids.text(id_)
        return await self._answer(stored)

    async def _get_receiver(self, request: pb.GetReceiverRequest, call: Call) -> pb.Receiver:
        return await self._answer(await self._load(request.id))

    async def _list_receivers(self, request: pb.ListReceiversRequest, call: Call) -> pb.ListReceiversResponse:
        found = await self._store.read(receiver_records.load_all)
        statuses = await self._delivery.statuses(found)
        answer = pb.ListReceiversResponse()
        for stored in found:
            message = stored.message()
            message.status.CopyFrom(statuses[stored.id])
            answer.receivers.append(message)
        return answer

    async def _update_receiver(self, request: pb.UpdateReceiverRequest, call: Call) -> pb.Receiver:
        call.resource_id = request.id
        stored = await self._load(request.id)
        receiver = _given(request.receiver)
        # Secrets that are lost can't be carried over: then they must be given, which the checks see to.
        with contextlib.suppress(Undecryptable, VaultError):
            carry_over(await self._delivery.opened(stored), receiver)
        check_receiver(receiver)
        sealed = await self._sealed(stored.id, receiver)
        shown = public(receiver)
        changed = await self._store.write(
            lambda connection: receiver_records.replace(connection, stored, shown, sealed)
        )
        return await self._answer(changed)

    async def _delete_receiver(self, request: pb.DeleteReceiverRequest, call: Call) -> pb.DeleteReceiverResponse:
        call.resource_id = request.id
        await self._store.write(lambda connection: receiver_records.remove(connection, request.id))
        return pb.DeleteReceiverResponse()

    async def _test_receiver(self, request: pb.TestReceiverRequest, call: Call) -> pb.TestReceiverResponse:
        call.resource_id = request.id
        stored = await self._load(request.id)
        name = stored.receiver.name
        try:
            alert = await tell_made_up(await self._delivery.opened(stored), self._delivery.settings)
        except (DeliveryFault, Undecryptable, VaultError) as fault:
            raise CallError(
                "RECEIVER_FAILED",
                f"The receiver {name} did not take the alert. {fault}",
                metadata={"id": request.id, "name": name, "problem": str(fault)},
            ) from None
        return pb.TestReceiverResponse(alert=alert)

    async def _create_silence(self, request: pb.CreateSilenceRequest, call: Call) -> pb.Silence:
        starts_at, ends_at = check_silence(request.silence, times.now())
        silence = pb.Silence(match=request.silence.match, reason=request.silence.reason, created_by=call.caller.name)
        made = await self._store.write(lambda connection: silence_records.add(connection, silence, starts_at, ends_at))
        call.resource_id = made.id
        # What is raised from now on is silenced, should it come before the hint does.
        await self._delivery.silencing.refresh()
        return made

    async def _get_silence(self, request: pb.GetSilenceRequest, call: Call) -> pb.Silence:
        return await self._store.read(lambda connection: silence_records.load(connection, request.id))

    async def _list_silences(self, request: pb.ListSilencesRequest, call: Call) -> pb.ListSilencesResponse:
        return pb.ListSilencesResponse(silences=await self._store.read(silence_records.load_current))

    async def _delete_silence(self, request: pb.DeleteSilenceRequest, call: Call) -> pb.DeleteSilenceResponse:
        call.resource_id = request.id
        await self._store.write(lambda connection: silence_records.end(connection, request.id))
        return pb.DeleteSilenceResponse()

    async def _load(self, receiver_id: str) -> StoredReceiver:
        return await self._store.read(lambda connection: receiver_records.load(connection, receiver_id))

    async def _sealed(self, id_: bytes, receiver: pb.Receiver) -> bytes:
        return await self._delivery.sealed(id_, secret(receiver))

    async def _answer(self, stored: StoredReceiver) -> pb.Receiver:
        message = stored.message()
        statuses = await self._delivery.statuses([stored])
        message.status.CopyFrom(statuses[stored.id])
        return message


def _given(receiver: pb.Receiver) -> pb.Receiver:
    """What a caller says of a receiver; what we set is left out."""
    given = pb.Receiver()
    given.CopyFrom(receiver)
    given.ClearField("id")
    given.ClearField("status")
    given.ClearField("created_at")
    given.ClearField("updated_at")
    return given
