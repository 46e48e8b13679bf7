"""Hands storages to the inventory one after the other, and keeps what came of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from delphis.alert.v1 import snmp_config_pb2
from delphis.inventory.v1 import inventory_pb2
from services.importing.storages import Planned


class Refused(Exception):
    """The inventory doesn't take this storage; others may go."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Outcome(StrEnum):
    """What became of a storage."""

    IMPORTED = "imported"
    WOULD_IMPORT = "would import"
    EXISTS = "exists"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """A storage, and what became of it."""

    planned: Planned
    outcome: Outcome
    reason: str = ""
    """The inventory's, where it refused."""
    problem: str = ""
    warnings: tuple[str, ...] = ()


Import = Callable[[inventory_pb2.ImportStorageRequest], inventory_pb2.ImportStorageResponse]
"""The call of the inventory. Raises Refused."""


PutSnmp = Callable[[snmp_config_pb2.PutSnmpConfigRequest], None]
"""Puts SNMP settings, unless the storage has some. Raises Refused."""


def transfer(storages: Iterable[Planned], call: Import, put_snmp: PutSnmp, *, dry_run: bool) -> Iterator[Result]:
    """Imports the storages; each result as soon as it is known."""
    for planned in storages:
        if planned.request is None:
            yield Result(planned, Outcome.FAILED, problem=planned.problem)
            continue
        planned.request.validate_only = dry_run
        try:
            answer = call(planned.request)
        except Refused as refused:
            yield Result(planned, Outcome.FAILED, refused.reason, str(refused))
            continue
        told = () if dry_run else _snmp_told(planned, put_snmp)
        if not answer.imported:
            yield Result(planned, Outcome.EXISTS, warnings=told)
            continue
        outcome = Outcome.WOULD_IMPORT if dry_run else Outcome.IMPORTED
        yield Result(planned, outcome, warnings=(*planned.notes, *answer.warnings, *told))


def _snmp_told(planned: Planned, put_snmp: PutSnmp) -> tuple[str, ...]:
    """Takes the SNMP settings along; what the operator should know where that fails. The next import tries again."""
    if planned.snmp is None:
        return ()
    try:
        put_snmp(planned.snmp)
    except Refused as refused:
        return (f"its SNMP settings are not taken: {refused}",)
    return ()
