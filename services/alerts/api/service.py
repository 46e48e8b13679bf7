"""The handlers of AlertService."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

from sqlalchemy import bindparam, select

from delphis.alert.v1 import alert_pb2 as pb
from services.alerts.api.history import history_page
from services.alerts.api.listing import ALERTS, DEFAULT_ORDER, OPEN_OF_STORAGE
from services.alerts.api.live import MAX_SEQUENCE_NUMBER, MOST_MS, Arrays, Span
from services.alerts.api.ports import Polls, Silences
from services.alerts.api.walks import page_of
from services.alerts.api.watching import Watches
from services.alerts.book import operating, settings
from services.alerts.book.entries import with_listed
from services.alerts.schema.book import alerts
from services.calls.errors import invalid
from services.calls.method import Call, Method, methods_of, stream, unary
from services.listing.page import ListRequest, Page, UnknownMarker, listing
from services.store.connection import Connection
from services.store.engine import Store
from services.store.minting import seq_of
from services.store.statement import statement
from services.store.wire import framed, varint
from services.values import times, uuids

MAX_IDS = 1000
MAX_NOTE = 1000
_SHOWN_IDS = 5
_GET = statement(
    select(alerts.c.body, alerts.c.last_listed_at).where(
        alerts.c.seq == bindparam("seq"), alerts.c.id == bindparam("id")
    )
)
_SILENCED_BY = b"\xd2\x02"  # Alert.silenced_by


class AlertService:
    """Answers AlertService."""

    def __init__(self, store: Store, arrays: Arrays, polls: Polls, silences: Silences) -> None:
        self._store = store
        self._arrays = arrays
        self._polls = polls
        self._silences = silences
        self._watches = Watches(store)

    def methods(self) -> Iterator[Method]:
        """The service for a method table."""
        return methods_of(
            pb.DESCRIPTOR.services_by_name["AlertService"],
            {
                "ListAlerts": unary(pb.ListAlertsRequest, self._list),
                "GetAlert": unary(pb.GetAlertRequest, self._get),
                "ListAlertEvents": unary(pb.ListAlertEventsRequest, self._list_events),
                "WatchAlerts": stream(pb.WatchAlertsRequest, self._watch),
                "AcknowledgeAlerts": unary(pb.AcknowledgeAlertsRequest, self._acknowledge),
                "UnacknowledgeAlerts": unary(pb.UnacknowledgeAlertsRequest, self._unacknowledge),
                "ClearAlerts": unary(pb.ClearAlertsRequest, self._clear),
                "ListStorageAlerts": unary(pb.ListStorageAlertsRequest, self._list_of_storage),
                "ClearStorageAlert": unary(pb.ClearStorageAlertRequest, self._clear_of_storage),
                "SyncStorageAlerts": unary(pb.SyncStorageAlertsRequest, self._sync),
                "GetAlertPoll": unary(pb.GetAlertPollRequest, self._get_poll),
                "GetAlertSettings": unary(pb.GetAlertSettingsRequest, self._get_settings),
                "UpdateAlertSettings": unary(pb.UpdateAlertSettingsRequest, self._update_settings),
            },
        )

    # -- looking --------------------------------------------------------------------------------------------------

    async def _list(self, request: pb.ListAlertsRequest, _: Call) -> bytes:
        wanted = listing(
            ALERTS,
            ListRequest(
                request.page_size,
                request.page_token,
                request.filter,
                request.order_by or DEFAULT_ORDER,
                request.skip,
                include_total=request.include_total,
            ),
        )
        return await self._page(lambda connection: page_of(connection, wanted))

    async def _list_of_storage(self, request: pb.ListStorageAlertsRequest, _: Call) -> bytes:
        span = Span(request)
        if request.live:
            found = await self._arrays.alerts(request.storage_id, span)
            return pb.ListAlertsResponse(alerts=found).SerializeToString()
        facts = await self._arrays.require(request.storage_id)
        wanted = listing(
            OPEN_OF_STORAGE,
            ListRequest(
                request.page_size,
                request.page_token,
                order_by=DEFAULT_ORDER,
                scope=f"{facts.id}\0{span.begin}\0{span.end}",
            ),
        )
        scope = {
            "storage_id": facts.id_bytes,
            "begin": span.begin if span.begin is not None else -MOST_MS,
            "end": span.end if span.end is not None else MOST_MS,
        }
        return await self._page(lambda connection: wanted.run(connection, scope))

    async def _page(self, read: Callable[[Connection], Page]) -> bytes:
        await self._silences.refresh()

        def work(connection: Connection) -> bytes:
            try:
                page = read(connection)
            except UnknownMarker as marker:
                raise operating.not_found(marker.id) from None
            return b"".join((*(framed(self._shown(*row)) for row in page.rows), page.tail()))

        return await self._store.scan(work)

    async def _get(self, request: pb.GetAlertRequest, _: Call) -> bytes:
        await self._silences.refresh()
        id_ = uuids.parsed(request.id)
        row = await self._store.read(lambda connection: connection.one(_GET, (seq_of(id_), id_))) if id_ else None
        if row is None:
            raise operating.not_found(request.id)
        return self._shown(*row)

    def _shown(self, body: bytes, listed_at: int) -> bytes:
        """A stored alert as callers see it."""
        body = with_listed(bytes(body), listed_at)
        alert = pb.Alert.FromString(body)
        if alert.state == pb.ALERT_STATE_OPEN:
            for silence in self._silences.ids_for(alert):
                name = silence.encode()
                body = b"".join((body, _SILENCED_BY, varint(len(name)), name))
        return body

    async def _list_events(self, request: pb.ListAlertEventsRequest, _: Call) -> bytes:
        return await self._store.scan(lambda connection: history_page(connection, request))

    def _watch(self, request: pb.WatchAlertsRequest, _: Call) -> AsyncIterator[bytes]:
        return self._watches.watch(request)

    # -- acting ---------------------------------------------------------------------------------------------------

    async def _acknowledge(self, request: pb.AcknowledgeAlertsRequest, call: Call) -> bytes:
        return await self._operate(operating.acknowledge, request.ids, request.note, call)

    async def _unacknowledge(self, request: pb.UnacknowledgeAlertsRequest, call: Call) -> bytes:
        return await self._operate(operating.unacknowledge, request.ids, request.note, call)

    async def _clear(self, request: pb.ClearAlertsRequest, call: Call) -> bytes:
        return await self._operate(operating.clear, request.ids, request.note, call)

    async def _operate(self, act: operating.Operation, ids: Iterable[str], note: str, call: Call) -> bytes:
        wanted = list(ids)
        if not 0 < len(wanted) <= MAX_IDS:
            raise invalid("ids", f"Name 1 to {MAX_IDS:,} alerts, these are {len(wanted):,}.")
        if len(note) > MAX_NOTE:
            raise invalid("note", f"It must have at most {MAX_NOTE:,} characters, this has {len(note):,}.")
        call.resource_id = _names(wanted)
        at = times.now()
        changed = await self._store.write(
            lambda connection: act(connection, wanted, by=call.caller.name, note=note, at=at)
        )
        return b"".join(map(framed, changed))

    async def _clear_of_storage(self, request: pb.ClearStorageAlertRequest, call: Call) -> pb.ClearStorageAlertResponse:
        call.resource_id = request.storage_id
        if not 0 < len(request.sequence_number) <= MAX_SEQUENCE_NUMBER:
            raise invalid("sequence_number", f"It must have 1 to {MAX_SEQUENCE_NUMBER} characters.")
        await self._arrays.require(request.storage_id)
        await self._arrays.clear(request.storage_id, request.sequence_number)
        at = times.now()
        cleared = await self._store.write(
            lambda connection: operating.clear_sequence_number(
                connection, request.storage_id, request.sequence_number, by=call.caller.name, at=at
            )
        )
        return pb.ClearStorageAlertResponse(cleared=cleared)

    # -- polls and settings ---------------------------------------------------------------------------------------

    async def _sync(self, request: pb.SyncStorageAlertsRequest, call: Call) -> pb.SyncStorageAlertsResponse:
        call.resource_id = request.storage_id
        span = Span(request)
        await self._arrays.require(request.storage_id)
        await self._polls.request(request.storage_id, span.begin, span.end)
        return pb.SyncStorageAlertsResponse()

    async def _get_poll(self, request: pb.GetAlertPollRequest, _: Call) -> pb.AlertPoll:
        await self._arrays.require(request.storage_id)
        return await self._polls.state(request.storage_id)

    async def _get_settings(self, request: pb.GetAlertSettingsRequest, _: Call) -> pb.AlertSettings:
        return await self._store.read(settings.read)

    async def _update_settings(self, request: pb.UpdateAlertSettingsRequest, _: Call) -> pb.AlertSettings:
        return await self._store.write(lambda connection: settings.change(connection, request.settings))


def _names(ids: Sequence[str]) -> str:
    """Ids for the audit log, the first few of many."""
    shown = " ".join(id_[:36] for id_ in ids[:_SHOWN_IDS])
    return shown if len(ids) <= _SHOWN_IDS else f"{shown} and {len(ids) - _SHOWN_IDS} more"
