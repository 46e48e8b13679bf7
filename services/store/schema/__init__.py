"""The tables of the core's database, all on one `MetaData`.

Rules that let rows go between the database and the wire untouched:

- Five column types, all from `schema.columns`: `integer`, `bigint`, `text`, `blob` and `flag`. Times are `bigint`
  microseconds since 1970 UTC, enums the contract's numbers, ids 16-byte blobs, structured values serialised protobuf.
- No column is NULL. Unset is 0 or an empty string or blob; what the difference matters for is in the stored message.
- Text compares byte by byte in both databases (PostgreSQL: collation "C"), so orders agree.
- Storages are referred to by `storages.no`, a small number that is never used again, to keep indexes small.

To add a table: define it in one of this package's modules (or a new one, imported below), run
`python -m services.store.schema.snapshot`, which writes `head.sqlite.sql` and `head.postgresql.sql` anew, and add a
migration to `services/store/migrations/versions` whose number becomes `HEAD` below. `tests/store` compares the three:
tables as defined, snapshots, and what the migrations build.
"""

from __future__ import annotations

from services.store.schema import auth, changes, jobs, registry, resources, storages
from services.store.schema.columns import metadata

HEAD = "0005"

__all__ = ["HEAD", "auth", "changes", "jobs", "metadata", "registry", "resources", "storages"]
