"""What the driver asks for, as it is announced to operators."""

from __future__ import annotations

from delphis.sdk import AccessField

from .kinds import DEFAULT_COUNTS, MAX_COUNT
from .sampling import INTERVAL_S, RETENTION_S
from .settings import ALIASES, LATENCY, PLACES_WITH_LATENCY


def _attribute(key: str, description: str, *, default: str = "", selects_array: bool = False) -> AccessField:
    return AccessField(
        path=f"extra_attributes.{key}",
        description=description,
        plain=True,
        selects_array=selects_array,
        default_value=default,
    )


ACCESS_FIELDS = (
    AccessField(path="rest", description="Any host and port: they decide which array it is. Or ssh, cli or smis."),
    AccessField(path="rest.username", description="Anything."),
    AccessField(path="rest.password", description="Anything but 'wrong', which is refused."),
    _attribute("array", "Chooses one of any number of arrays behind the same address; any text.", selects_array=True),
    _attribute("seed", "Gives the same array other contents: sizes, names, faulty parts; any text."),
    *(
        _attribute(kind, f"Number of {kind.replace('_', ' ')}, up to {MAX_COUNT}.", default=str(count))
        for kind, count in DEFAULT_COUNTS.items()
    ),
    *(_attribute(alias, f"As {kind}, which it overrides.") for alias, kind in ALIASES.items()),
    _attribute(LATENCY, "Milliseconds that each call takes."),
    *(
        _attribute(f"{LATENCY}.{place}", f"Milliseconds that reading {place.replace('_', ' ')} takes.")
        for place in PLACES_WITH_LATENCY
    ),
    _attribute("drift", "What changes between syncs, such as 'all' or '5%, removed=1, added=1'."),
    _attribute("drift_period_s", "Seconds between two changes; unset: each sync is one."),
    _attribute("fail", "What goes wrong, such as 'volumes:unavailable*1; disks:half'. Rules are joined by ';'."),
    _attribute("alerts", "Number of alerts that the array lists; none unless it is set."),
    _attribute("alert_list", "More alerts that it lists, such as '900 Critical A disk failed; 901 Minor'."),
    _attribute("trap_sources", "Addresses that its traps come from, such as '192.0.2.7, 192.0.2.8=Controller 0B'."),
    _attribute("mgmt_ips", "Management addresses of its controllers, joined by commas."),
    _attribute("capacity_growth", "Percent of their capacity by which pools fill up each day."),
    _attribute("perf_interval_s", "Seconds between performance samples; they make up a day.", default=str(INTERVAL_S)),
    _attribute("perf_retention_s", "For how long samples are kept; 0: only the latest.", default=str(RETENTION_S)),
    _attribute("perf_kinds", "Kinds that are measured, such as 'storage, volume'; unset: all that can be."),
    _attribute("perf_metrics", "Metrics that are measured, such as 'iops, responseTime'; unset: all."),
    AccessField(
        path="extra_attributes.token", description="A secret without meaning, to try secrets with. 'wrong' is refused."
    ),
)
