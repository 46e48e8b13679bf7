"""References held by repeated fields: the members of groups, the disks of pools. Others are columns of the rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, delete

from services.inventory.kinds import Kind
from services.inventory.schema.resources import members
from services.inventory.sync.rows import MAX_NATIVE_ID, Bulk
from services.store.connection import Connection, Row
from services.store.statement import statement

_REMOVE = statement(
    delete(members).where(
        members.c.storage_no == bindparam("storage_no"),
        members.c.relation == bindparam("relation"),
        members.c.native_id == bindparam("native_id"),
    )
)
_BULK = Bulk(members)


def relation_of(kind: Kind, field: str) -> str:
    """How the relation of a repeated field is named in the table."""
    return f"{kind.name}.{field}"


class Members:
    """The members of one kind's resources on one array, in one transaction."""

    def __init__(self, connection: Connection, storage_no: int, kind: Kind) -> None:
        self._connection = connection
        self._storage_no = storage_no
        self._fields = [(item.field, relation_of(kind, item.field)) for item in kind.references if item.repeated]
        self.any = bool(self._fields)
        """Whether the kind has any."""
        self._removes: list[Row] = []
        self._inserts: list[Row] = []

    def touched_by(self, fields: Iterable[str]) -> bool:
        """Whether one of the fields holds members."""
        return bool(self._fields) and any(field in fields for field, _ in self._fields)

    def add(self, native_id: str, part: Any) -> None:
        """Notes the members of a new resource."""
        for field, relation in self._fields:
            for member in dict.fromkeys(getattr(part, field)):
                if member and len(member) <= MAX_NATIVE_ID and "\0" not in member:
                    self._inserts.append((self._storage_no, relation, native_id, member))

    def remove(self, native_id: str) -> None:
        """Forgets the members of a resource."""
        self._removes.extend((self._storage_no, relation, native_id) for _, relation in self._fields)

    def replace(self, old_native_id: str, native_id: str, part: Any) -> None:
        """Notes the members of a changed resource."""
        self.remove(old_native_id)
        self.add(native_id, part)

    def flush(self, above: int) -> None:
        """Writes what was noted, where it is more than `above`."""
        if len(self._removes) + len(self._inserts) <= above:
            return
        self._connection.many(_REMOVE, self._removes)
        for begin in range(0, len(self._inserts), 4000):
            _BULK.insert(self._connection, self._inserts[begin : begin + 4000])
        self._removes = []
        self._inserts = []
