"""Storages as alerts show them: for filters by their labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson
from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.sql.elements import ColumnElement

from services.alerts.book.reports import StorageFacts
from services.alerts.schema.book import alert_labels, alert_storages
from services.store.columns import clean
from services.store.connection import Connection
from services.store.statement import sql, statement

_BATCH = 500
_FACTS = ("name", "vendor", "model", "serial_number", "labels")
_COLUMNS: list[ColumnElement[str]] = [alert_storages.c[name] for name in _FACTS]
_KNOWN = statement(
    select(alert_storages.c.storage_id, *_COLUMNS).where(
        alert_storages.c.storage_id.in_(bindparam("ids", expanding=True))
    )
)
_PUT_TEXT = (
    "INSERT INTO alert_storages (storage_id, name, vendor, model, serial_number, labels)"
    " VALUES (:storage_id, :name, :vendor, :model, :serial_number, :labels)"
    " ON CONFLICT (storage_id) DO UPDATE SET name = excluded.name, vendor = excluded.vendor, model = excluded.model,"
    " serial_number = excluded.serial_number, labels = excluded.labels"
)
_PUT = sql(sqlite=_PUT_TEXT, postgresql=_PUT_TEXT)
_UNLABEL = statement(delete(alert_labels).where(alert_labels.c.storage_id == bindparam("id")))
_LABEL = statement(
    insert(alert_labels).values(storage_id=bindparam("storage_id"), key=bindparam("key"), value=bindparam("value"))
)


def keep_facts(connection: Connection, storages: Iterable[StorageFacts]) -> None:
    """Writes what is not yet known of the storages. Of several facts about one storage the last count."""
    wanted = {facts.id_bytes: facts for facts in storages}
    ids = list(wanted)
    for begin in range(0, len(ids), _BATCH):
        batch = ids[begin : begin + _BATCH]
        known = {bytes(row[0]): tuple(row[1:]) for row in connection.all(_KNOWN, (batch,))}
        for id_ in batch:
            values = _values(wanted[id_])
            if known.get(id_) != values:
                _put(connection, id_, wanted[id_], values)


def _values(facts: StorageFacts) -> tuple[str, ...]:
    texts = (facts.name, facts.vendor, facts.model, facts.serial_number)
    labels = orjson.dumps(dict(facts.labels), option=orjson.OPT_SORT_KEYS).decode()
    return (*map(clean, texts), labels)


def _put(connection: Connection, id_: bytes, facts: StorageFacts, values: Sequence[str]) -> None:
    connection.run(_PUT, {"storage_id": id_, **dict(zip(_FACTS, values, strict=True))})
    connection.run(_UNLABEL, (id_,))
    labels = [{"storage_id": id_, "key": clean(key), "value": clean(value)} for key, value in facts.labels.items()]
    connection.many(_LABEL, labels)
