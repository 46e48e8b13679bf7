"""The first schema, as text: see the files beside this one."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "telemetry_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    dialect = op.get_context().dialect.name
    text = Path(__file__).with_name(f"0001_initial.{dialect}.sql").read_text("utf-8")
    for statement in text.split(";\n\n"):
        if statement.strip():
            op.get_bind().exec_driver_sql(statement)
