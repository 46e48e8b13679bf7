"""Asking arrays, through the core."""

from __future__ import annotations

from delphis.alert.v1 import alert_pb2 as pb
from delphis.driver.v1 import storage_driver_pb2 as driver_pb
from delphis.type.v1 import alert_pb2 as type_pb
from services.alerts.arrays import facts_of
from services.alerts.book.entries import fill
from services.alerts.book.reports import StorageFacts, is_over, match_key_of
from services.calls.errors import CallError, invalid
from services.fleet.core import Core, target
from services.fleet.fleet import Fleet
from services.values import times, uuids

MOST_MS = 253_402_300_799_999
"""The end of the year 9999, where Timestamp ends."""
MAX_SEQUENCE_NUMBER = 512


class Arrays:
    """The arrays, as the core knows and reaches them."""

    def __init__(self, core: Core, fleet: Fleet) -> None:
        self._core = core
        self._fleet = fleet

    async def require(self, storage_id: str) -> StorageFacts:
        """The storage. CallError STORAGE_NOT_FOUND where there is none."""
        array = self._fleet.get(storage_id)
        if array is None and uuids.parsed(storage_id) is not None:
            # It may have been registered just now.
            await self._fleet.refresh([storage_id])
            array = self._fleet.get(storage_id)
        if array is None:
            raise CallError(
                "STORAGE_NOT_FOUND",
                f"Storage {storage_id[:80]} could not be found.",
                metadata={"storage_id": storage_id[:80]},
            )
        return facts_of(array)

    async def alerts(self, storage_id: str, span: Span) -> list[pb.Alert]:
        """What the array has open now, newest first, in the form of alerts without id and state.

        Raises:
            CallError: as the router says it, such as ARRAY_UNREACHABLE; STORAGE_LIST_ALERT_FAILED where the answer
                ends too early.
        """
        facts = await self.require(storage_id)
        request = driver_pb.ListAlertsRequest(target=target(storage_id))
        if span.begin is not None:
            request.begin_time.FromMilliseconds(span.begin)
        if span.end is not None:
            request.end_time.FromMilliseconds(span.end)
        found: list[pb.Alert] = []
        complete = False
        async for message in self._core.list_from_array("ListAlerts", request, driver_pb.ListAlertsResponse):
            found += [_shown(alert, facts) for alert in message.items if not is_over(alert)]
            complete = message.complete
        if not complete:
            raise CallError(
                "STORAGE_LIST_ALERT_FAILED",
                f"The driver of storage {storage_id} did not list all alerts. Try again.",
                metadata={"storage_id": storage_id},
            )
        # The driver was told the times, and need not have understood them.
        found = [alert for alert in found if span.has(alert)]
        return sorted(found, key=lambda alert: alert.occur_time, reverse=True)

    async def clear(self, storage_id: str, sequence_number: str) -> None:
        """Clears alerts on the array.

        Raises:
            CallError: STORAGE_CLEAR_ALERT_FAILED, and whatever the router says.
        """
        request = driver_pb.ClearAlertRequest(target=target(storage_id), sequence_numbers=[sequence_number])
        answer = await self._core.ask_array("ClearAlert", request, driver_pb.ClearAlertResponse)
        if answer.failures:
            problem = "; ".join(warning.message for warning in answer.failures)[:1000]
            raise CallError(
                "STORAGE_CLEAR_ALERT_FAILED",
                f"The array of storage {storage_id} did not clear alert {sequence_number[:80]}: {problem}",
                metadata={"storage_id": storage_id, "sequence_number": sequence_number[:80], "problem": problem},
            )


class Span:
    """Alerts from `begin` on and before `end`, in milliseconds since 1970; None: no such bound."""

    def __init__(self, request: pb.ListStorageAlertsRequest | pb.SyncStorageAlertsRequest) -> None:
        """INVALID_INPUT where the request's times are none."""
        self.begin = request.begin_time if request.HasField("begin_time") else None
        self.end = request.end_time if request.HasField("end_time") else None
        for field, value in (("begin_time", self.begin), ("end_time", self.end)):
            if value is not None and not 0 <= value <= MOST_MS:
                raise invalid(field, f"It is a time in milliseconds since 1970, 0 to {MOST_MS}.")
        if self.begin is not None and self.end is not None and self.end <= self.begin:
            raise invalid("end_time", "It must be greater than begin_time.")

    def has(self, alert: pb.Alert) -> bool:
        """Whether the alert is of this time; one that does not say its time is."""
        if not alert.HasField("occur_time"):
            return True
        return (self.begin is None or alert.occur_time >= self.begin) and (
            self.end is None or alert.occur_time < self.end
        )


def _shown(alert: type_pb.Alert, facts: StorageFacts) -> pb.Alert:
    shown = pb.Alert(storage_id=facts.id, match_key=match_key_of(alert), origin=pb.ALERT_ORIGIN_POLL)
    fill(shown, alert, facts, "")
    shown.last_listed_at.CopyFrom(times.stamp(times.now()) or shown.last_listed_at)
    return shown
