"""Rows are found by the number in their id; what is looked for in all arrays is sought in each."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KINDS = (
    "storage_pools volumes controllers ports disks filesystems qtrees quotas shares storage_host_initiators"
    " storage_hosts storage_host_groups port_groups volume_groups masking_views"
)


def upgrade() -> None:
    bind = op.get_bind()
    then = "" if bind.dialect.name == "sqlite" else ", seq"
    for table in _KINDS.split():
        bind.exec_driver_sql(f"DROP INDEX {table}_id")
    for table in ("volumes", "ports", "storage_host_initiators"):
        bind.exec_driver_sql(f"DROP INDEX {table}_wwn")
        bind.exec_driver_sql(f"CREATE INDEX {table}_wwn ON {table} (storage_no, wwn{then})")
    bind.exec_driver_sql("DROP INDEX volumes_native_storage_pool_id")
    bind.exec_driver_sql(
        f"CREATE INDEX volumes_native_storage_pool_id ON volumes (storage_no, native_storage_pool_id, status{then})"
    )
