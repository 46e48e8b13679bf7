"""Alerts that are open on the array, and where it sends its traps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import NotRun, demands
from delphis.sdk.conformance.checks.lists import broken_contract, completeness, native_map, sizes
from delphis.sdk.conformance.checks.values import enum_values
from delphis.sdk.conformance.listing import resource_methods
from delphis.sdk.conformance.report import Problem
from delphis.sdk.host.contract import methods
from delphis.type.v1.alert_pb2 import SnmpVersion

_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_CLOCKS_DIFFER = timedelta(days=1)
ABSENT = "delphis-conformance-absent"


@demands("alerts.list", "ListAlerts is answered, in proper batches, complete.")
def listed(bench: Bench) -> Iterator[Problem]:
    bench.needs("ListAlerts")
    _ = bench.storage
    listing = bench.listing(methods()["ListAlerts"])
    if not listing.reply.ok:
        yield Problem(str(listing.reply), "ListAlerts")
        return
    yield from completeness(listing)
    yield from sizes(listing)
    yield from broken_contract(listing)


@demands("alerts.sane", "An alert says what it is, how bad, when, and of which resource; clears can be joined to it.")
def sane(bench: Bench) -> Iterator[Problem]:
    for alert in _alerts(bench):
        yield from alert_problems("ListAlerts", alert, bench.known_ids() if bench.announced & _listing() else {})


def _listing() -> frozenset[str]:
    return frozenset(method.name for method in resource_methods().values())


def _alerts(bench: Bench) -> list[Any]:
    bench.needs("ListAlerts")
    _ = bench.storage
    listing = bench.listing(methods()["ListAlerts"])
    if not listing.reply.ok:
        raise NotRun("the alerts can't be listed: see alerts.list")
    return listing.items


def alert_problems(where: str, alert: Any, known: Mapping[str, frozenset[str]]) -> Iterator[Problem]:
    """What is wrong with an alert of a list or a trap."""
    which = f"alert {alert.alert_id or alert.alert_name!r}"
    if not alert.alert_id and not alert.alert_name:
        yield Problem("An alert has neither alert_id nor alert_name.", where, "Say what it is.")
    if not alert.match_key and not alert.alert_id:
        yield Problem(f"{which} has neither match_key nor alert_id.", where, "Its clear could not be joined to it.")
    if not alert.HasField("severity") and not alert.cleared:
        yield Problem(f"{which} has no severity.", where, "Set it; NOT_SPECIFIED where the array says nothing.")
    yield from (
        Problem(problem.what.replace("Alert ", which + " ", 1), where, problem.remedy)
        for problem in enum_values(where, alert)
    )
    if alert.HasField("occur_time"):
        when = alert.occur_time.ToDatetime(tzinfo=UTC)
        if not _EARLIEST < when < datetime.now(UTC) + _CLOCKS_DIFFER:
            yield Problem(f"{which} occurred at {when.isoformat()}.", where, "Is it seconds since 1970, in UTC?")
    kinds = resource_methods()
    if alert.resource_type and alert.resource_type != "storage" and alert.resource_type not in kinds:
        yield Problem(f"{which} is about a {alert.resource_type!r}.", where, f"Kinds are storage, {', '.join(kinds)}.")
    native_id = alert.native_resource_id
    if native_id and alert.resource_type in known and native_id not in known[alert.resource_type]:
        yield Problem(f"{which} is about {alert.resource_type} {native_id!r}, which the list has not.", where)
    yield from native_map(alert.native, which, where)


@demands("alerts.window", "ListAlerts with begin_time and end_time names only alerts that occurred between them.")
def window(bench: Bench) -> Iterator[Problem]:
    times = sorted(alert.occur_time.ToDatetime(tzinfo=UTC) for alert in _alerts(bench) if alert.HasField("occur_time"))
    if not times:
        raise NotRun("no open alert says when it occurred")
    begin, end = times[0] + timedelta(seconds=1), times[-1] + timedelta(seconds=1)
    request: Any = bench.request("ListAlerts")
    request.begin_time.FromDatetime(begin)
    request.end_time.FromDatetime(end)
    listing = bench.list_now(methods()["ListAlerts"], begin_time=request.begin_time, end_time=request.end_time)
    if not listing.reply.ok:
        yield Problem(str(listing.reply), "ListAlerts")
    for alert in listing.items:
        if alert.HasField("occur_time") and not begin <= alert.occur_time.ToDatetime(tzinfo=UTC) < end:
            yield Problem(f"Alert {alert.alert_id!r} lies outside of the window.", "ListAlerts", "Filter by it.")


@demands("alerts.sources", "GetAlertSources names addresses.")
def sources(bench: Bench) -> Iterator[Problem]:
    bench.needs("GetAlertSources")
    _ = bench.storage
    reply = bench.call("GetAlertSources")
    if not reply.ok:
        yield Problem(str(reply), "GetAlertSources")
        return
    for source in bench.answer(reply).alert_sources:
        if not source.host.strip():
            yield Problem("A source has no host.", "GetAlertSources.alert_sources")


@demands("alerts.clear-absent", "ClearAlert of an alert that the array has not succeeds.")
def clear_absent(bench: Bench) -> Iterator[Problem]:
    bench.needs("ClearAlert")
    _may_change(bench)
    reply = bench.call("ClearAlert", bench.request("ClearAlert", sequence_numbers=[ABSENT]))
    if not reply.ok:
        yield Problem(str(reply), "ClearAlert", "There is nothing to clear: succeed.")
    elif bench.answer(reply).failures:
        yield Problem("It names the absent alert as a failure.", "ClearAlert.failures", "Succeed.")


@demands("alerts.receivers", "AddTrapConfig and RemoveTrapConfig succeed, and succeed again.")
def receivers(bench: Bench) -> Iterator[Problem]:
    bench.needs("AddTrapConfig", "RemoveTrapConfig")
    _may_change(bench)
    secret = bench.storage_id("community").replace("-", "")
    bench.leaks.add("trap_config.community_string", secret)
    for rpc in ("AddTrapConfig", "AddTrapConfig", "RemoveTrapConfig", "RemoveTrapConfig"):
        request: Any = bench.request(rpc)
        config = request.trap_config
        config.host, config.port, config.version = "192.0.2.1", 162, SnmpVersion.SNMP_VERSION_SNMPV2C
        config.community_string = secret
        reply = bench.call(rpc, request)
        if not reply.ok:
            yield Problem(str(reply), rpc, "Succeed, too, where the array is configured so already.")


def _may_change(bench: Bench) -> None:
    _ = bench.storage
    if not bench.array.may_be_changed:
        raise NotRun("it changes the array, and the array file doesn't say `may_be_changed: true`")
