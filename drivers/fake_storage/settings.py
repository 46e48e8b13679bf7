"""What an operator can set: the access info of a fake array, read once at login."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from delphis.sdk import AccessInfo, Alert, errors

from . import alert_list, drift, faults, sampling
from .drift import Drift
from .faults import Fault
from .identity import Identity, address_of
from .kinds import DEFAULT_COUNTS, KINDS, MAX_ALERTS, MAX_COUNT
from .sampling import Sampling

# Other spellings of counts. They win, since the host fills in the default of the kind's own name.
ALIASES = {"pools": "storage_pools"}

LATENCY = "latency_ms"
LOGIN = "login"
PLACES_WITH_LATENCY = (LOGIN, "storage", faults.METRICS, *KINDS)

_ALERTS = ("alerts", "alert_list", "trap_sources", "mgmt_ips")
_MOST_GROWTH = 10_000
_SAMPLING = ("capacity_growth", "perf_interval_s", "perf_retention_s", "perf_kinds", "perf_metrics")
_OTHERS = ("seed", "array", "drift", "drift_period_s", "fail", "token", LATENCY, *_ALERTS, *_SAMPLING)
KNOWN = (
    *KINDS,
    *ALIASES,
    *_OTHERS,
    *(f"{LATENCY}.{place}" for place in PLACES_WITH_LATENCY),
)


@dataclass(frozen=True)
class Settings:
    """One array's settings. Latencies are in seconds, by `login`, `storage` or kind."""

    identity: Identity
    seed: str
    counts: Mapping[str, int]
    latency: Mapping[str, float]
    drift: Drift
    drift_period_s: float | None
    faults: tuple[Fault, ...]
    alerts: int
    alert_list: tuple[Alert, ...]
    trap_sources: str
    mgmt_ips: tuple[str, ...]
    sampling: Sampling
    growth: float


def read(access_info: AccessInfo) -> Settings:
    """Read the settings of an array. Raises AccessInfoIncomplete that names the bad attribute."""
    attributes = {key: value.strip() for key, value in access_info.extra_attributes.items()}
    for key in attributes:
        if key not in KNOWN:
            raise _unknown(key)
    try:
        changes = drift.parse(attributes.get("drift", ""))
    except ValueError as error:
        raise bad("drift", str(error)) from None
    try:
        rules = faults.parse(attributes.get("fail", ""))
    except ValueError as error:
        raise bad("fail", str(error)) from None
    try:
        alerts = alert_list.parse(attributes.get("alert_list", ""))
    except ValueError as error:
        raise bad("alert_list", str(error)) from None
    period = _number(attributes, "drift_period_s", 0.0)
    if period and (changes.removed or changes.added):
        raise bad("drift_period_s", "'removed' and 'added' of the drift count syncs and go without a period")
    growth = _number(attributes, "capacity_growth", 0.0)
    if growth > _MOST_GROWTH:
        raise bad("capacity_growth", f"{growth:g} percent a day are more than {_MOST_GROWTH}")
    every_call = _number(attributes, LATENCY, 0.0)
    return Settings(
        identity=Identity(address_of(access_info), attributes.get("array", "")),
        seed=attributes.get("seed", ""),
        counts=_counts(attributes),
        latency={
            place: _number(attributes, f"{LATENCY}.{place}", 0.0 if place == LOGIN else every_call) / 1000
            for place in PLACES_WITH_LATENCY
        },
        drift=changes,
        drift_period_s=period or None,
        faults=rules,
        alerts=_whole(attributes, "alerts", 0, MAX_ALERTS),
        alert_list=alerts,
        trap_sources=attributes.get("trap_sources", ""),
        mgmt_ips=tuple(part.strip() for part in attributes.get("mgmt_ips", "").split(",") if part.strip()),
        sampling=_sampling(attributes, growing=growth > 0),
        growth=growth / 100,
    )


def _sampling(attributes: Mapping[str, str], growing: bool) -> Sampling:
    interval = _whole(attributes, "perf_interval_s", sampling.INTERVAL_S, sampling.MOST_S)
    if not interval or sampling.MOST_S % interval:
        raise bad("perf_interval_s", f"{interval} seconds don't make up a day")
    try:
        measured = sampling.measured(attributes.get("perf_kinds", ""), attributes.get("perf_metrics", ""), growing)
    except ValueError as error:
        raise bad("perf_kinds or perf_metrics", str(error)) from None
    retention = _whole(attributes, "perf_retention_s", sampling.RETENTION_S, sampling.LONGEST_S)
    return Sampling(interval, retention, measured)


def bad(key: str, sentence: str) -> errors.AccessInfoIncomplete:
    return errors.AccessInfoIncomplete(f"extra_attributes.{key}: {sentence}.", field=f"extra_attributes.{key}")


def _unknown(key: str) -> errors.AccessInfoIncomplete:
    near = difflib.get_close_matches(key, KNOWN, n=1)
    hint = f"did you mean {near[0]!r}" if near else "the README of fake_storage lists them"
    return bad(key, f"fake_storage has no such attribute; {hint}")


def _counts(attributes: Mapping[str, str]) -> dict[str, int]:
    counts = dict(DEFAULT_COUNTS)
    for key in (*KINDS, *ALIASES):
        if key in attributes:
            counts[ALIASES.get(key, key)] = _whole(attributes, key, 0, MAX_COUNT)
    return counts


def _whole(attributes: Mapping[str, str], key: str, default: int, most: int) -> int:
    text = attributes.get(key)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20) or int(text) > most:
        raise bad(key, f"{text!r} is no whole number from 0 to {most}")
    return int(text)


def _number(attributes: Mapping[str, str], key: str, default: float) -> float:
    text = attributes.get(key)
    if text is None:
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1e9:
        raise bad(key, f"{text!r} is no number from 0 to 1000000000")
    return number
