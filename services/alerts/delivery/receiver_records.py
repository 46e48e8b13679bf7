"""Receivers in the store."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, insert, select, update

from delphis.alert.v1 import delivery_pb2
from services.alerts.book import events
from services.alerts.delivery import lane_records
from services.alerts.delivery.settings import MAX_RECEIVERS
from services.alerts.schema.delivery import receivers
from services.calls.errors import CallError, invalid
from services.store.connection import Connection
from services.store.statement import statement
from services.values import times, uuids
from services.vault.vault import key_id_of

CHANGED = "receivers"
"""What a store's `signals` call a commit that changes receivers."""

_COLUMNS = (
    receivers.c.id,
    receivers.c.receiver,
    receivers.c.secrets,
    receivers.c.created_at,
    receivers.c.updated_at,
)
_ALL = statement(select(*_COLUMNS).order_by(receivers.c.name))
_ONE = statement(select(*_COLUMNS).where(receivers.c.id == bindparam("id")))
_NAMED = statement(select(receivers.c.id).where(receivers.c.name == bindparam("name")))
_COUNT = statement(select(func.count()).select_from(receivers))
_INSERT = statement(
    insert(receivers).values(
        {name: bindparam(name) for name in ("id", "name", "receiver", "secrets", "created_at", "updated_at")}
    )
)
_UPDATE = statement(
    update(receivers)
    .where(receivers.c.id == bindparam("receiver_id"))
    .values(
        name=bindparam("new_name"),
        receiver=bindparam("new_receiver"),
        secrets=bindparam("new_secrets"),
        updated_at=bindparam("at"),
    )
)
_DELETE = statement(delete(receivers).where(receivers.c.id == bindparam("id")))
_SECRETS = statement(select(receivers.c.secrets))


@dataclass(frozen=True, slots=True)
class StoredReceiver:
    """A receiver as it is stored."""

    id: bytes
    receiver: delivery_pb2.Receiver
    """Without secrets, and without what the service sets."""
    sealed: bytes
    """The secrets, encrypted."""
    created_at: int
    updated_at: int

    def message(self) -> delivery_pb2.Receiver:
        """As callers see it, but for its status."""
        shown = delivery_pb2.Receiver()
        shown.CopyFrom(self.receiver)
        shown.id = uuids.text(self.id)
        shown.created_at.FromMicroseconds(self.created_at)
        shown.updated_at.FromMicroseconds(self.updated_at)
        return shown


def load_all(connection: Connection) -> list[StoredReceiver]:
    """All receivers, by name."""
    return [_stored(*row) for row in connection.all(_ALL)]


def load(connection: Connection, receiver_id: str) -> StoredReceiver:
    """The receiver, or RECEIVER_NOT_FOUND."""
    row = connection.one(_ONE, {"id": uuids.parsed(receiver_id) or b""})
    if row is None:
        raise not_found(receiver_id)
    return _stored(*row)


def not_found(receiver_id: str) -> CallError:
    """RECEIVER_NOT_FOUND."""
    return CallError("RECEIVER_NOT_FOUND", f"No receiver has the id {receiver_id}.", metadata={"id": receiver_id})


def add(connection: Connection, id_: bytes, receiver: delivery_pb2.Receiver, sealed: bytes) -> StoredReceiver:
    """Stores a new receiver, which is told of what happens from now on."""
    _check_name(connection, id_, receiver.name)
    if connection.value(_COUNT) >= MAX_RECEIVERS:
        raise invalid("receiver", f"There are {MAX_RECEIVERS} receivers, which is the most. Delete one.")
    now = times.now()
    values = {
        "id": id_,
        "name": receiver.name,
        "receiver": receiver.SerializeToString(),
        "secrets": sealed,
        "created_at": now,
        "updated_at": now,
    }
    connection.run(_INSERT, values)
    open_too = receiver.HasField("alertmanager")
    lane_records.fit(connection, id_, lanes_needed(receiver), events.head(connection), open_too=open_too)
    connection.signal(CHANGED)
    return StoredReceiver(id_, receiver, sealed, now, now)


def replace(
    connection: Connection, stored: StoredReceiver, receiver: delivery_pb2.Receiver, sealed: bytes
) -> StoredReceiver:
    """Stores a changed receiver; it goes on where it is in the events."""
    before = load(connection, uuids.text(stored.id))
    _check_name(connection, stored.id, receiver.name)
    now = times.now()
    values = {
        "receiver_id": stored.id,
        "new_name": receiver.name,
        "new_receiver": receiver.SerializeToString(),
        "new_secrets": sealed,
        "at": now,
    }
    connection.run(_UPDATE, values)
    lane_records.fit(connection, stored.id, lanes_needed(receiver), events.head(connection), open_too=False)
    if receiver.HasField("alertmanager") and not before.receiver.HasField("alertmanager"):
        for lane in lane_records.lanes_of(connection, stored.id):
            lane_records.withhold_open(connection, lane.no)
    connection.signal(CHANGED)
    return StoredReceiver(stored.id, receiver, sealed, stored.created_at, now)


def remove(connection: Connection, receiver_id: str) -> None:
    """Removes a receiver with what waits for it, or RECEIVER_NOT_FOUND."""
    stored = load(connection, receiver_id)
    lane_records.remove_all(connection, stored.id)
    connection.run(_DELETE, {"id": stored.id})
    connection.signal(CHANGED)


def key_ids(connection: Connection) -> set[bytes]:
    """The keys that encrypt the secrets of receivers; for `LateVault`."""
    return {key_id_of(bytes(sealed)) for (sealed,) in connection.all(_SECRETS) if sealed}


def lanes_needed(receiver: delivery_pb2.Receiver) -> int:
    """How many addresses it has that are told each by itself."""
    return len(receiver.alertmanager.urls) if receiver.HasField("alertmanager") else 1


def _check_name(connection: Connection, id_: bytes, name: str) -> None:
    holder = connection.value(_NAMED, {"name": name})
    if holder is not None and bytes(holder) != id_:
        raise CallError(
            "RECEIVER_ALREADY_EXISTS", f"A receiver has the name {name}. Use another name.", metadata={"name": name}
        )


def _stored(id_: bytes, receiver: bytes, sealed: bytes, created_at: int, updated_at: int) -> StoredReceiver:
    return StoredReceiver(bytes(id_), delivery_pb2.Receiver.FromString(receiver), bytes(sealed), created_at, updated_at)
