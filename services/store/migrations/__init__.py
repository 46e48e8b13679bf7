"""Alembic migrations, run in process by `services.store.migrate`; never needed where the schema is at head."""
