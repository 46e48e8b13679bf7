"""Writes a schema as SQL text, `head.sqlite.sql` and `head.postgresql.sql`, with which new databases begin.

Text needs neither Alembic nor Core's compiler at start-up, which saves half a second. Run it after each change of a
table: `python -m services.store.snapshot services.inventory.schema`.
"""

from __future__ import annotations

import importlib
import sys

from sqlalchemy.schema import CreateIndex, CreateSequence, CreateTable

from services.store.schema import Schema
from services.store.statement import Dialect, dialect_of


def rendered(schema: Schema, dialect: Dialect) -> str:
    """All tables and indexes as statements that end in `;` and an empty line."""
    target = dialect_of(dialect)
    statements: list[str] = []
    if target.supports_sequences:
        sequences = schema.metadata._sequences.values()
        statements.extend(str(CreateSequence(item).compile(dialect=target)) for item in sequences)
    for table in schema.metadata.sorted_tables:
        table.dialect_options[dialect].update(table.info.get(dialect, {}))
        statements.append(str(CreateTable(table).compile(dialect=target)))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            condition = getattr(index, "_ddl_if", None)
            index.dialect_options[dialect].update(index.info.get(dialect, {}))
            if condition is None or condition.dialect == dialect:
                statements.append(str(CreateIndex(index).compile(dialect=target)))
    return "".join(f"{_tidy(text)};\n\n" for text in statements)


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().replace("\t", "    ").splitlines() if line.strip())


def statements(schema: Schema, dialect: Dialect) -> list[str]:
    """The snapshot's statements."""
    return [text for text in schema.snapshot(dialect).read_text("utf-8").split(";\n\n") if text.strip()]


def write(schema: Schema) -> None:
    """Writes both snapshots anew."""
    for name in ("sqlite", "postgresql"):
        schema.snapshot(name).write_text(rendered(schema, name), "utf-8")


if __name__ == "__main__":
    for package in sys.argv[1:]:
        write(importlib.import_module(package).SCHEMA)
