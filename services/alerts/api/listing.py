"""What alerts are filtered and ordered by."""

from __future__ import annotations

from functools import cache

from sqlalchemy import ColumnElement, bindparam, select
from sqlalchemy import text as sql_text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from delphis.alert.v1 import alert_pb2 as pb
from delphis.type.v1 import alert_pb2 as type_pb
from services.alerts.schema.book import alert_labels, alert_storages, alerts
from services.listing.spec import Bind, Compare, Field, ListSpec, by_column
from services.listing.values import (
    enum_numbers,
    enum_value,
    flag_value,
    integer_value,
    is_label_key,
    time_value,
)
from services.store.columns import clean
from services.store.minting import seq_of
from services.values import uuids

DEFAULT_ORDER = "last_raised_at desc"
LABELS = "labels"
INDEXED = ("storage_id", "alert_id", "vendor", "severity")
"""Fields that have an index with the state before them and the time behind them; the choosiest first."""
TEXTS = ("vendor", "model", "alert_id", "alert_name", "sequence_number", "resource_type", "native_resource_id")
ENUMS = {
    "state": pb.AlertState.DESCRIPTOR,
    "severity": type_pb.Severity.DESCRIPTOR,
    "category": type_pb.AlertCategory.DESCRIPTOR,
    "type": type_pb.AlertType.DESCRIPTOR,
    "origin": pb.AlertOrigin.DESCRIPTOR,
}
TIMES = ("first_raised_at", "last_raised_at", "cleared_at")
_NOBODY = b"?"


class Unindexed(ColumnElement[object]):
    """A column by which no index is to be chosen: SQLite knows nothing of how much an index would find."""

    inherit_cache = True

    def __init__(self, column: ColumnElement[object]) -> None:
        self.column = column
        self.type = column.type


@compiles(Unindexed)
def _plain(element: Unindexed, compiler: SQLCompiler, **options: object) -> str:
    return str(compiler.process(element.column, **options))


@compiles(Unindexed, "sqlite")
def _with_sign(element: Unindexed, compiler: SQLCompiler, **options: object) -> str:
    return f"+{compiler.process(element.column, **options)}"


def id_value(text: str) -> bytes:
    """An id's bytes; of a text that is none, bytes that nothing has."""
    return uuids.parsed(text) or _NOBODY


def storage_id_value(text: str) -> bytes:
    """As `id_value`; alerts about Delphis itself have an empty one."""
    return id_value(text) if text else b""


def _by_id(operator: str, *values: Bind) -> ColumnElement[bool]:
    """An id tells its row's number."""
    if operator == "set":
        return alerts.c.seq != 0
    return (alerts.c.seq == values[1]) & (alerts.c.id == values[0])


def _labelled(storage_id: ColumnElement[bytes]) -> Compare:
    """By the label of a key of the storage: the key is the first value."""

    def compare(operator: str, *values: Bind) -> ColumnElement[bool]:
        found = select(alert_labels.c.storage_id)
        if operator != "set" or values:
            found = found.where(alert_labels.c.key == values[0])
        if operator not in {"set", "has"}:
            found = found.where(by_column(alert_labels.c.value, operator, *values[1:]))
        return storage_id.in_(found)

    return compare


def _label(compare: Compare) -> Field:
    return Field(alert_labels.c.value, clean, compare=compare, sortable=False, wild=False)


def _labels(compare: Compare) -> Field:
    return Field(alert_labels.c.key, type="map", compare=compare, sortable=False)


ID = Field(
    alerts.c.id, id_value, type="id", compare=_by_id, binds=lambda id_: (id_, seq_of(id_) if len(id_) == 16 else 0)
)
_FIELDS = {
    "id": ID,
    "storage_id": Field(alerts.c.storage_id, storage_id_value, type="id"),
    **{name: Field(alerts.c[name], clean) for name in TEXTS},
    **{name: Field(alerts.c[name], enum_value(enum_numbers(enum)), type="enum") for name, enum in ENUMS.items()},
    **{name: Field(alerts.c[name], time_value, type="time") for name in TIMES},
    "acknowledged": Field(alerts.c.acknowledged, flag_value, type="flag"),
    "count": Field(alerts.c.count, integer_value, type="number"),
    LABELS: _labels(_labelled(alerts.c.storage_id)),
}
COLUMNS = (alerts.c.body, alerts.c.last_listed_at)


@cache
def list_by(index: str | None) -> ListSpec:
    """The list of all alerts; with a field, such that no other field's index is taken; with "", none of them."""
    fields = dict(_FIELDS)
    if index is not None:
        for name in INDEXED:
            if name != index:
                fields[name] = _unindexed(fields[name])
    return ListSpec(
        name="alerts",
        source=alerts,
        key=alerts.c.seq,
        columns=COLUMNS,
        fields=fields,
        id=ID,
        maps={LABELS: _label(_labelled(alerts.c.storage_id))},
        map_key=is_label_key,
    )


def _unindexed(field: Field) -> Field:
    plain = Unindexed(field.column)

    def compare(operator: str, *values: Bind) -> ColumnElement[bool]:
        return by_column(plain, operator, *values)

    return Field(field.column, field.parse, type=field.type, compare=compare)


ALERTS = list_by(None)
LABELLED = ListSpec(
    name="storages",
    source=alert_storages,
    key=alert_storages.c.storage_id,
    columns=(alert_storages.c.storage_id,),
    fields={LABELS: _labels(_labelled(alert_storages.c.storage_id))},
    maps={LABELS: _label(_labelled(alert_storages.c.storage_id))},
    map_key=is_label_key,
)
"""Storages, by their labels alone."""
OPEN_OF_STORAGE = ListSpec(
    name="alerts of a storage",
    source=alerts,
    key=alerts.c.seq,
    columns=COLUMNS,
    fields={"last_raised_at": _FIELDS["last_raised_at"]},
    always=(
        sql_text("state = 2"),  # type: ignore[arg-type]
        alerts.c.storage_id == bindparam("storage_id", required=True),
        alerts.c.occurred_at >= bindparam("begin", required=True),
        alerts.c.occurred_at < bindparam("end", required=True),
    ),
    id=ID,
)
"""Those of one storage that are open, by `last_raised_at`."""
