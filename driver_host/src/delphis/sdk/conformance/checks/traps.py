"""ParseAlert: traps as the alerts service decodes them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import UTC
from typing import Any

from google.protobuf import json_format

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import NotRun, demands
from delphis.sdk.conformance.checks.alerts import alert_problems
from delphis.sdk.conformance.report import Problem
from delphis.sdk.conformance.traps import GivenTrap
from delphis.sdk.enums import from_text
from delphis.sdk.host.contract import methods
from delphis.type.v1 import alert_pb2
from delphis.type.v1.alert_pb2 import SnmpVersion, Trap, VarBind

_NOBODYS = "1.3.6.1.4.1.32473"  # the enterprise number of RFC 5612's examples


@demands("traps.unknown", "ParseAlert gives an empty result, not an error, for a trap that is none of the array's.")
def unknown(bench: Bench) -> Iterator[Problem]:
    trap = Trap(version=SnmpVersion.SNMP_VERSION_SNMPV2C, source_address="192.0.2.1", trap_oid=f"{_NOBODYS}.1")
    trap.varbinds.append(VarBind(oid=f"{_NOBODYS}.2", octets=b"of another vendor"))
    results = yield from _parsed(bench, [trap])
    for result in results:
        if result.alerts:
            yield Problem(f"It makes {len(result.alerts)} alerts of it.", "ParseAlert", "Look at the trap's OID first.")
        if result.incomplete:
            yield Problem(
                "It says `incomplete`.", "ParseAlert", "That has the array's alerts listed, for each such trap."
            )
        if result.HasField("warning"):
            yield Problem(f"It warns: {result.warning.message}", "ParseAlert", "It is no error: answer nothing.")


@demands("traps.odd", "ParseAlert bears traps without bindings, with unknown ones, and with bytes that are no text.")
def odd(bench: Bench) -> Iterator[Problem]:
    oids = sorted({given.trap.trap_oid for given in bench.traps} or {f"{_NOBODYS}.1"})[:20]
    traps: list[Trap] = []
    for oid in oids:
        bare = Trap(trap_oid=oid)
        odd_one = Trap(version=SnmpVersion.SNMP_VERSION_SNMPV3, trap_oid=oid, engine_id="80001f8880", inform=True)
        bound = [varbind.oid for given in bench.traps if given.trap.trap_oid == oid for varbind in given.trap.varbinds]
        odd_one.varbinds.extend(VarBind(oid=each, octets=b"\xff\xfe\x00") for each in (*bound, f"{_NOBODYS}.3"))
        odd_one.varbinds.append(VarBind(oid=f"{_NOBODYS}.4"))
        traps += [bare, odd_one]
    results = yield from _parsed(bench, traps)
    for trap, result in zip(traps, results, strict=False):
        if result.HasField("warning"):
            yield Problem(
                f"It fails at trap {trap.trap_oid} with {len(trap.varbinds)} bindings: {result.warning.message}",
                "ParseAlert",
                "Take what is there; say `incomplete` where it is too little.",
            )


@demands("traps.given", "ParseAlert makes of each given trap the alerts that its file names, in order.")
def given_traps(bench: Bench) -> Iterator[Problem]:
    if not bench.traps:
        bench.needs("ParseAlert")
        raise NotRun("no traps were given: name a file with --traps")
    results = yield from _parsed(bench, [given.trap for given in bench.traps])
    for given, result in zip(bench.traps, results, strict=False):
        yield from _compared(given, result)


def _parsed(bench: Bench, traps: list[Trap]) -> Generator[Problem, None, list[Any]]:
    """The results; no array is asked, so there is no access info."""
    bench.needs("ParseAlert")
    request: Any = methods()["ParseAlert"].request(traps=traps)
    request.target.storage_id = bench.storage_id("array")
    reply = bench.call("ParseAlert", request)
    if not reply.ok:
        yield Problem(str(reply), "ParseAlert", "One trap that can't be parsed must not spoil the others.")
        return []
    results = list(bench.answer(reply).results)
    if len(results) != len(traps):
        yield Problem(f"{len(traps)} traps gave {len(results)} results.", "ParseAlert.results", "Give one for each.")
        return []
    return results


def _compared(given: GivenTrap, result: Any) -> Iterator[Problem]:
    where = f"trap {given.name!r}"
    if result.HasField("warning"):
        yield Problem(f"It could not be parsed: {result.warning.message}", where)
        return
    if result.incomplete != given.incomplete and (given.incomplete or given.alerts is not None):
        yield Problem(f"incomplete is {result.incomplete}, not {given.incomplete}.", where)
    for alert in result.alerts:
        yield from alert_problems(where, alert, {})
    if given.alerts is None:
        if not result.alerts and not result.incomplete and not given.incomplete:
            yield Problem("It says nothing to the driver.", where, "Parse it, or write `alerts: []` to it.")
        return
    if len(result.alerts) != len(given.alerts):
        yield Problem(f"It gives {len(result.alerts)} alerts, not {len(given.alerts)}.", where)
        return
    for expected, alert in zip(given.alerts, result.alerts, strict=True):
        for name, value in expected.items():
            found = _plain(alert, name)
            if found != _expected(name, value):
                yield Problem(f"{name} is {found!r}, not {_expected(name, value)!r}.", where)


def _plain(alert: Any, name: str) -> Any:
    """A field as people write it."""
    field = alert.DESCRIPTOR.fields_by_name[name]
    if name == "native":
        return dict(alert.native)
    if not alert.HasField(name):
        return None
    value = getattr(alert, name)
    if field.enum_type is not None:
        return int(value)
    if field.message_type is not None:
        return value.ToDatetime(tzinfo=UTC).isoformat()
    return value


def _expected(name: str, value: Any) -> Any:
    field = alert_pb2.Alert.DESCRIPTOR.fields_by_name[name]
    if value is None:
        return None
    if field.enum_type is not None and isinstance(value, str):
        enum: Any = getattr(alert_pb2, field.enum_type.name)
        return int(from_text(enum, value))
    if field.message_type is not None and name != "native":
        holder = alert_pb2.Alert()
        text = value if isinstance(value, str) else value.isoformat()
        json_format.ParseDict({name: text if text.endswith("Z") or "+" in text else text + "Z"}, holder)
        return _plain(holder, name)
    if name == "native":
        return {str(key): str(each) for key, each in value.items()}
    return bool(value) if field.cpp_type == field.CPPTYPE_BOOL else str(value)
