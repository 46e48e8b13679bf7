"""How the polls of arrays go, in the store."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import bindparam, delete, select

from delphis.alert.v1 import alert_pb2
from services.alerts.schema.arrays import alert_polls
from services.store.columns import clean
from services.store.connection import Connection
from services.store.statement import sql, statement
from services.values import times, uuids

UNKNOWN, ABLE, UNABLE = 0, 1, 2


@dataclass(slots=True)
class Poll:
    """One array's polls. Times are microseconds, 0 for never."""

    storage_id: str
    supported: int = UNKNOWN
    driver: str = ""
    """The driver, with its version, that can or can't."""
    started_at: int = 0
    ended_at: int = 0
    last_success_at: int = 0
    next_at: int = 0
    listed: int = 0
    failures: int = 0
    error_code: str = ""
    error_msg: str = ""
    warnings: str = ""
    """Lines."""

    def shown(self, interval: int) -> alert_pb2.AlertPoll:
        """For callers."""
        shown = alert_pb2.AlertPoll(
            storage_id=self.storage_id,
            supported=None if self.supported == UNKNOWN else self.supported == ABLE,
            started_at=times.stamp(self.started_at),
            ended_at=times.stamp(self.ended_at),
            last_success_at=times.stamp(self.last_success_at),
            next_at=times.stamp(self.next_at),
            listed=self.listed,
            failures=self.failures,
            error_code=self.error_code or None,
            error_msg=self.error_msg or None,
            interval=times.duration(interval),
        )
        shown.warnings.extend(line for line in self.warnings.split("\n") if line)
        return shown


_NAMES = tuple(field.name for field in fields(Poll))
_ALL = statement(select(*(alert_polls.c[name] for name in _NAMES)))
_SET = ", ".join(f"{name} = excluded.{name}" for name in _NAMES[1:])
_PUT_TEXT = (
    f"INSERT INTO alert_polls ({', '.join(_NAMES)}) VALUES ({', '.join(f':{name}' for name in _NAMES)}) "
    f"ON CONFLICT (storage_id) DO UPDATE SET {_SET}"
)
_PUT = sql(sqlite=_PUT_TEXT, postgresql=_PUT_TEXT)
_REMOVE = statement(delete(alert_polls).where(alert_polls.c.storage_id == bindparam("storage_id")))


def read_all(connection: Connection) -> dict[str, Poll]:
    """All, by storage."""
    rows: list[tuple[Any, ...]] = connection.all(_ALL)
    return {poll.storage_id: poll for poll in (Poll(uuids.text(row[0]), *row[1:]) for row in rows)}


def put(connection: Connection, poll: Poll) -> None:
    """Writes one."""
    values: dict[str, Any] = {name: getattr(poll, name) for name in _NAMES}
    for name in ("driver", "error_code", "error_msg", "warnings"):
        values[name] = clean(values[name])
    connection.run(_PUT, values | {"storage_id": uuids.parsed(poll.storage_id) or b""})


def remove(connection: Connection, storage_id: str) -> None:
    """The storage is gone."""
    connection.run(_REMOVE, {"storage_id": uuids.parsed(storage_id) or b""})
