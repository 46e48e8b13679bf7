"""Run by Alembic: upgrades over the connection that `services.store.migrate` hands in."""

from __future__ import annotations

from alembic import context

given = context.config.attributes
context.configure(connection=given["connection"], target_metadata=given["metadata"])
with context.begin_transaction():
    context.run_migrations()
