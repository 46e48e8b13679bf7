"""The schema of a service: its tables, and how a database comes to have them.

Each service has one, in a package such as `services/inventory/schema`: modules with tables on one `MetaData`, a
`SCHEMA` in `__init__.py`, the snapshots `head.sqlite.sql` and `head.postgresql.sql`, and migrations in `versions`.
On SQLite a schema is a file of its own, on PostgreSQL a schema of its own in the database that all share.

Rules that let rows go between the database and the wire untouched:

- Five column types, all from `store.columns`: `integer`, `bigint`, `text`, `blob` and `flag`. Times are `bigint`
  microseconds since 1970 UTC, enums the contract's numbers, ids 16-byte blobs, structured values serialised protobuf.
- No column is NULL. Unset is 0 or an empty string or blob; what the difference matters for is in the stored message.
- Text compares byte by byte in both databases (PostgreSQL: collation "C"), so orders agree.

To add a table: define it in one of the package's modules (or a new one, imported in its `__init__`), run
`python -m services.store.snapshot PACKAGE`, which writes both snapshots anew, and add a migration to `versions` whose
number becomes the `head`. `tests/store` compares the three: tables as defined, snapshots, and what the migrations
build.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from services.store.statement import Dialect


@dataclass(frozen=True, slots=True)
class Schema:
    """A service's schema."""

    name: str
    """Whose it is, for people."""
    metadata: MetaData
    head: str
    """The newest migration. No two schemas have one of the same name, so that a strange database is recognised."""
    folder: Path
    """Where snapshots and migrations are."""
    lock: int
    """32 bits, the first half of the keys of its advisory locks: four letters that no other schema has."""
    channel: str
    """PostgreSQL's channel by which its processes tell each other what was committed."""
    namespace: str = ""
    """The PostgreSQL schema; empty: the one that the database's URL leads to."""
    writer_numbers: str = ""
    """The PostgreSQL sequence that tells writers apart where several write at once; see `store.sequence`."""
    sole: bool = False
    """Only one process at a time may write to it; see `store.presence`."""

    @property
    def versions(self) -> Path:
        """The folder of its migrations."""
        return self.folder / "versions"

    @property
    def migration_lock(self) -> int:
        """The key of the advisory lock under which it is created and upgraded."""
        return self.lock << 24 | 0x686973

    def snapshot(self, dialect: Dialect) -> Path:
        """The file with the SQL of its head."""
        return self.folder / f"head.{dialect}.sql"
