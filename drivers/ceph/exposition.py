"""The page of the manager's module `prometheus`: its counters, read from the text."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import ClassVar

from delphis.sdk import AccessInfo, Context, RestAccess, Tls, errors
from delphis.sdk.http import Reply, RestSession, Retry

PORT = 9283
ATTRIBUTE = "prometheus"
_COLLECTIONS = "ceph_prometheus_collect_duration_seconds_count"
_PREFIXES = ("ceph_rbd_", "ceph_osd_op_", "ceph_pool_rd", "ceph_pool_wr", _COLLECTIONS)
_SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? +(\S+)')
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")

Sample = tuple[str, Mapping[str, str], float]


class MetricsPage(RestSession):
    """The page. It needs no login and has no TLS."""

    default_headers: ClassVar[Mapping[str, str]] = {"Accept": "text/plain"}
    default_port: ClassVar[int] = PORT
    retry: ClassVar[Retry] = Retry(attempts=2)  # a page that isn't there must not hold up a sync

    def read(self, context: Context) -> list[Sample]:
        """The counters that this driver knows, with their labels."""
        return list(samples(self.get(context, "/metrics").text))

    def failure(self, reply: Reply) -> errors.DriverError | None:
        if reply.ok:
            return None
        at = self.endpoint.label
        if reply.status == 503:
            # The module says so until it has counted once, and while counting takes it longer than it should.
            return errors.ArrayBusy(f"The manager at {at} has no fresh counters at the moment.", retry_after=15.0)
        return errors.BadResponse(
            f"What answers at {at} is not the manager's module prometheus: /metrics has status {reply.status}.",
            status=reply.status,
        )


def access_of(access_info: AccessInfo) -> RestAccess:
    """Where the page is: on the dashboard's host, or where the access info says. Its addresses are not taken from the
    manager, which may know itself by another name."""
    said = access_info.extra_attributes.get(ATTRIBUTE, "").strip()
    host, colon, port = said.rpartition(":")
    if said and not colon:
        host, port = ("", said) if said.isdigit() else (said, str(PORT))
    if said and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise errors.AccessInfoIncomplete(
            f"extra_attributes.{ATTRIBUTE}: {said!r} is neither a port nor HOST:PORT.",
            field=f"extra_attributes.{ATTRIBUTE}",
        )
    access = RestAccess(
        host=host.strip("[]") or access_info.rest.host, port=int(port) if said else PORT, tls=Tls(plaintext=True)
    )
    access.connect_timeout.FromSeconds(5)
    return access


def samples(text: str) -> Iterator[Sample]:
    """The samples of counters that this driver knows. Lines that can't be read are none."""
    for line in text.splitlines():
        if not line.startswith(_PREFIXES):
            continue
        found = _SAMPLE.match(line)
        if found is None:
            continue
        try:
            value = float(found[3])
        except ValueError:
            continue
        if math.isfinite(value) and value >= 0:
            yield found[1], dict(_labels(found[2] or "")), value


def _labels(text: str) -> Iterator[tuple[str, str]]:
    for name, value in _LABEL.findall(text):
        yield name, _ESCAPED.sub(_unescaped, value) if "\\" in value else value


def _unescaped(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1]
