"""Traps on their way to alerts, those that became none, and what decoding has to remember."""

from __future__ import annotations

from sqlalchemy import Index, Table
from sqlalchemy import text as sql_text

from services.alerts.schema.metadata import metadata
from services.store.columns import COUNTED, KEYED, bigint, blob, integer, ordered_index, row_number, text

waiting_traps = Table(
    "waiting_traps",
    metadata,
    # The order of arrival.
    row_number("no"),
    # The array whose driver is asked; where several are possible, the first of those not asked yet.
    blob("storage_id"),
    # 16 bytes each: all that are possible, where there are several.
    blob("candidates"),
    # How many drivers of the candidates were asked in vain.
    integer("asked"),
    bigint("received_at"),
    integer("size"),
    # delphis.type.v1.Trap, serialised.
    blob("trap"),
    info=COUNTED,
)
ordered_index("waiting_traps_storage", waiting_traps, "storage_id", then="no")
ordered_index("waiting_traps_age", waiting_traps, "received_at", then="no")

kept_traps = Table(
    "kept_traps",
    metadata,
    row_number("no"),
    integer("state"),
    text("source_address"),
    bigint("received_at"),
    # Empty: none is known.
    blob("storage_id"),
    blob("candidates"),
    text("problem"),
    integer("size"),
    # Empty: it could not be read.
    blob("trap"),
    info=COUNTED,
)
ordered_index("kept_traps_state", kept_traps, "state", then="no")
ordered_index("kept_traps_source", kept_traps, "source_address", then="no")
_KNOWN = sql_text("length(storage_id) > 0")
Index(
    "kept_traps_storage",
    kept_traps.c.storage_id,
    kept_traps.c.no,
    info={"sqlite": {"where": _KNOWN}, "postgresql": {"where": _KNOWN}},
)

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
