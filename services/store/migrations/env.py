"""Run by Alembic: upgrades over the connection that `services.store.migrate` hands in."""

from __future__ import annotations

from alembic import context

from services.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
