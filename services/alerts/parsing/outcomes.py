"""What the driver's words about traps come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from delphis.alert.v1 import alert_pb2, trap_pb2
from delphis.driver.v1 import storage_driver_pb2
from delphis.type.v1 import alert_pb2 as type_pb
from services.alerts.arrays import Array, Arrays, facts_of
from services.alerts.book.reports import Report
from services.alerts.parsing.records import Kept, WaitingTrap

UNPARSED = trap_pb2.TRAP_STATE_UNPARSED
UNMATCHED = trap_pb2.TRAP_STATE_UNMATCHED
AMBIGUOUS = trap_pb2.TRAP_STATE_AMBIGUOUS


@dataclass(slots=True)
class Outcomes:
    """What is to be written about a batch of traps."""

    reports: list[Report] = field(default_factory=list[Report])
    done: list[int] = field(default_factory=list[int])
    kept: list[Kept] = field(default_factory=list[Kept])
    moved: list[tuple[int, str, int]] = field(default_factory=list[tuple[int, str, int]])
    """Trap, the array whose driver is asked next, and how many were asked."""
    to_poll: set[str] = field(default_factory=set[str])
    """Arrays whose traps said too little."""

    def unparsed(self, trap: WaitingTrap, storage_id: str, problem: str) -> None:
        """The driver can't make anything of the trap."""
        self.kept.append(Kept(trap.seq, UNPARSED, storage_id, problem))


def take(
    arrays: Arrays,
    array: Array,
    traps: Sequence[WaitingTrap],
    results: Sequence[storage_driver_pb2.ParsedTrap],
) -> Outcomes:
    """The outcomes of traps that the driver of `array` was asked about; as many results as traps."""
    outcomes = Outcomes()
    for trap, result in zip(traps, results, strict=True):
        if len(trap.candidates) > 1:
            _of_several(outcomes, arrays, array, trap, result)
        else:
            _of_one(outcomes, arrays, array, trap, result)
    return outcomes


def _of_one(
    outcomes: Outcomes, arrays: Arrays, array: Array, trap: WaitingTrap, result: storage_driver_pb2.ParsedTrap
) -> None:
    if result.incomplete:
        outcomes.to_poll.add(array.id)
    strangers: list[str] = []
    for alert in result.alerts:
        owner = array
        if alert.serial_number and alert.serial_number != array.serial_number and array.serial_number:
            named = _by_serial(arrays, array.pair, alert.serial_number)
            if named is None:
                strangers.append(alert.serial_number)
                continue
            owner = named
        outcomes.reports.append(_report(owner, alert, trap))
    if strangers:
        named_serials = ", ".join(dict.fromkeys(strangers))
        problem = f"It is about an array with the serial number {named_serials}, which is not registered."
        outcomes.kept.append(Kept(trap.seq, UNMATCHED, array.id, problem[:1000]))
    elif result.alerts or result.incomplete:
        outcomes.done.append(trap.seq)
    elif result.HasField("warning"):
        outcomes.unparsed(trap, array.id, result.warning.message or "The driver can't parse it.")
    else:
        outcomes.unparsed(trap, array.id, "The driver doesn't know it.")


def _of_several(
    outcomes: Outcomes, arrays: Arrays, array: Array, trap: WaitingTrap, result: storage_driver_pb2.ParsedTrap
) -> None:
    """The sender may be several arrays: the driver may tell which, by the serial number."""
    candidates = [found for one in trap.candidates if (found := arrays.get(one)) is not None]
    owners = [_among(candidates, array.pair, alert.serial_number) for alert in result.alerts]
    if owners and all(owner is not None for owner in owners):
        outcomes.reports.extend(
            _report(owner, alert, trap) for owner, alert in zip(owners, result.alerts, strict=True) if owner is not None
        )
        outcomes.done.append(trap.seq)
        if result.incomplete:
            outcomes.to_poll.update(owner.id for owner in owners if owner is not None)
        return
    representatives = drivers_of(candidates)
    asked = trap.asked + 1
    if len(candidates) == 1:  # the others were removed meanwhile
        outcomes.moved.append((trap.seq, candidates[0].id, asked))
    elif asked < len(representatives):
        outcomes.moved.append((trap.seq, representatives[asked].id, asked))
    else:
        names = ", ".join(one.id for one in candidates)
        outcomes.kept.append(
            Kept(trap.seq, AMBIGUOUS, "", f"Its address is that of several storages, and it names none: {names}.")
        )


def drivers_of(candidates: Sequence[Array]) -> list[Array]:
    """One array for each driver that the candidates have, in their order."""
    found: dict[tuple[str, str], Array] = {}
    for array in candidates:
        found.setdefault(array.pair, array)
    return list(found.values())


def _among(candidates: Sequence[Array], pair: tuple[str, str], serial: str) -> Array | None:
    return next((one for one in candidates if one.pair == pair and one.serial_number == serial), None)


def _by_serial(arrays: Arrays, pair: tuple[str, str], serial: str) -> Array | None:
    return next((one for one in arrays.all().values() if one.pair == pair and one.serial_number == serial), None)


def _report(array: Array, alert: type_pb.Alert, trap: WaitingTrap) -> Report:
    return Report(
        storage=facts_of(array),
        alert=alert,
        origin=alert_pb2.ALERT_ORIGIN_TRAP,
        at=trap.received_at,
        controller_name=trap.trap.controller_name,
    )
