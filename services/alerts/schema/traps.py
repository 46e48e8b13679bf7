"""Traps on their way to alerts, those that became none, and how they are protected."""

from __future__ import annotations

from sqlalchemy import Index, Table
from sqlalchemy import text as sql_text

from services.alerts.schema.metadata import metadata
from services.store.columns import KEYED, bigint, blob, given_number, integer, ordered_index, text

_KEPT = sql_text("state > 2")

traps = Table(
    "traps",
    metadata,
    # The order of arrival.
    given_number("seq"),
    # Waiting for the driver, or why it became no alert.
    integer("state"),
    text("source_address"),
    bigint("received_at"),
    # Of a waiting one the array whose driver is asked; else the array where one is known.
    blob("storage_id"),
    # 16 bytes each: all arrays that are possible, where there are several.
    blob("candidates"),
    # How many drivers of the candidates were asked in vain.
    integer("asked"),
    text("problem"),
    integer("size"),
    # delphis.type.v1.Trap, serialised. Empty: it could not be read.
    blob("trap"),
)
ordered_index("traps_state", traps, "state", then="seq")
ordered_index("traps_storage", traps, "storage_id", "state", then="seq")
Index(
    "traps_source",
    traps.c.source_address,
    traps.c.seq,
    info={"sqlite": {"where": _KEPT}, "postgresql": {"where": _KEPT}},
)
Index("traps_kept", traps.c.seq, info={"sqlite": {"where": _KEPT}, "postgresql": {"where": _KEPT}})

spool_reads = Table(
    "spool_reads",
    metadata,
    # One row for each spool: how far it was read. What lies before is in the tables here.
    text("spool", primary_key=True, default=None),
    blob("position"),
)

engine_clocks = Table(
    "engine_clocks",
    metadata,
    # The newest authentic time of each SNMPv3 engine, so that old messages are refused after a restart too.
    blob("engine_id", primary_key=True),
    text("owner", primary_key=True, default=None),
    integer("boots"),
    integer("time"),
    bigint("received_at"),
    info=KEYED,
)

snmp_configs = Table(
    "snmp_configs",
    metadata,
    blob("storage_id", primary_key=True),
    # delphis.alert.v1.SnmpConfig without what the columns beside it say, serialised.
    blob("config"),
    # The secrets of a PutSnmpConfigRequest, serialised and encrypted.
    blob("secrets"),
    integer("reachability"),
    bigint("checked_at"),
    integer("receiver_state"),
    text("receiver_problem"),
    # Where the array was told to send its traps, as a TrapConfig without secrets; empty: it was not.
    blob("told"),
    # When it is tried again; 0: it need not be.
    bigint("retry_at"),
    bigint("created_at"),
    bigint("updated_at"),
)

alert_sources = Table(
    "alert_sources",
    metadata,
    # What the array's driver says its traps come from.
    blob("storage_id", primary_key=True),
    # delphis.driver.v1.GetAlertSourcesResponse, serialised.
    blob("sources"),
    bigint("read_at"),
)
