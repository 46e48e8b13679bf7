"""What a sink may be."""

from __future__ import annotations

from delphis.sdk import metrics
from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.calls.errors import invalid
from services.outbound.checks import (
    check_client_certificate,
    check_headers,
    check_kafka,
    check_name,
    check_secret,
    check_tls,
    check_url,
)
from services.outbound.http_client import ClientCertificate
from services.telemetry.sinks.kafka import FORMATS

LEAST_BATCH, MOST_BATCH = 100, 50_000
_OURS = ("content-type", "content-encoding", "x-prometheus-remote-write-version")


def check_sink(sink: pb.Sink) -> None:
    """INVALID_INPUT, by the field's name, where something is missing or not allowed."""
    check_name(sink.name)
    known = {kind for metric in metrics.catalogue().values() for kind in metric.kinds}
    for place, kind in enumerate(sink.kinds):
        if kind not in known:
            raise invalid(f"kinds[{place}]", f"It must be one of {', '.join(sorted(known))}.")
    if len(set(sink.kinds)) != len(sink.kinds):
        raise invalid("kinds", "One is given twice.")
    where = sink.WhichOneof("where")
    if where == "remote_write":
        _check_remote_write(sink.remote_write)
    elif where == "kafka":
        if sink.kafka.format and sink.kafka.format not in FORMATS:
            raise invalid("kafka.format", f"It must be one of {', '.join(FORMATS)}.")
        check_kafka("kafka", sink.kafka)
        check_client_certificate("kafka", ClientCertificate(sink.kafka.client_certificate, sink.kafka.client_key))
        if sink.kafka.client_certificate and not sink.kafka.tls:
            raise invalid("kafka.tls", "It must be set where client_certificate is.")
    else:
        raise invalid("where", "One of remote_write and kafka must be set.")


def _check_remote_write(given: pb.RemoteWriteSink) -> None:
    check_url("remote_write.url", given.url)
    if given.bearer_token and given.username:
        raise invalid("remote_write.username", "Only one of bearer_token and username may be set.")
    if given.password and not given.username:
        raise invalid("remote_write.username", "It must be set where password is.")
    if ":" in given.username:
        raise invalid("remote_write.username", "It must not have a colon.")
    for name in ("bearer_token", "username", "password"):
        check_secret(f"remote_write.{name}", getattr(given, name))
    own = (*_OURS, "authorization") if given.bearer_token or given.username else _OURS
    check_headers("remote_write.headers", given.headers, ours=own)
    if given.batch_size and not LEAST_BATCH <= given.batch_size <= MOST_BATCH:
        raise invalid("remote_write.batch_size", f"It must be 0, or {LEAST_BATCH} to {MOST_BATCH:,}.")
    check_tls("remote_write", given)
    check_client_certificate("remote_write", ClientCertificate(given.client_certificate, given.client_key))
