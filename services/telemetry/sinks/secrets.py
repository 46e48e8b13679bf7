"""A sink's secrets: kept apart from the rest of it, and carried over when it is changed."""

from __future__ import annotations

from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.calls.errors import invalid
from services.outbound.http_client import ClientCertificate
from services.outbound.kafka import leads_elsewhere


def public(sink: pb.Sink) -> pb.Sink:
    """The sink without its secrets."""
    shown = pb.Sink()
    shown.CopyFrom(sink)
    if shown.HasField("remote_write"):
        shown.remote_write.ClearField("bearer_token")
        shown.remote_write.ClearField("password")
        shown.remote_write.ClearField("client_key")
        for header in shown.remote_write.headers:
            header.ClearField("value")
    elif shown.HasField("kafka"):
        shown.kafka.ClearField("password")
        shown.kafka.ClearField("client_key")
    return shown


def secret(sink: pb.Sink) -> bytes:
    """The secrets alone, serialised; empty: there are none."""
    kept = pb.Sink()
    if sink.HasField("remote_write"):
        given = sink.remote_write
        if given.bearer_token or given.password or given.headers or given.client_key:
            kept.remote_write.bearer_token = given.bearer_token
            kept.remote_write.password = given.password
            kept.remote_write.headers.extend(given.headers)
            kept.remote_write.client_key = given.client_key
    elif sink.HasField("kafka") and (sink.kafka.password or sink.kafka.client_key):
        kept.kafka.password = sink.kafka.password
        kept.kafka.client_key = sink.kafka.client_key
    return kept.SerializeToString()


def whole(shown: pb.Sink, kept: bytes) -> pb.Sink:
    """The sink with its secrets."""
    sink = pb.Sink()
    sink.CopyFrom(shown)
    if kept:
        secrets = pb.Sink.FromString(kept)
        if secrets.HasField("remote_write"):
            sink.remote_write.ClearField("headers")  # they come with their values
        sink.MergeFrom(secrets)
    return sink


def carry_over(old: pb.Sink, new: pb.Sink) -> None:
    """Puts secrets that are not given anew into `new`.

    Raises INVALID_INPUT where one is not given and the new settings lead elsewhere, or less safely: else whoever may
    change a sink could have its secrets sent to himself.
    """
    if old.HasField("remote_write") and new.HasField("remote_write"):
        _carry_remote_write(old.remote_write, new.remote_write)
    elif old.HasField("kafka") and new.HasField("kafka"):
        _carry_kafka(old.kafka, new.kafka)


def _carry_kafka(old: pb.KafkaSink, new: pb.KafkaSink) -> None:
    _carry_key(old, new)
    if not new.username or new.password or not old.password:
        return
    _ask("kafka.password", leads_elsewhere(old, new) or new.username != old.username)
    new.password = old.password


def client_certificate(settings: pb.RemoteWriteSink | pb.KafkaSink) -> ClientCertificate | None:
    """Our own certificate; None: there is none."""
    if not settings.client_certificate:
        return None
    return ClientCertificate(settings.client_certificate, settings.client_key)


def _carry_key(old: pb.RemoteWriteSink | pb.KafkaSink, new: pb.RemoteWriteSink | pb.KafkaSink) -> None:
    """A key is proved, not sent: wherever the sink leads, nobody learns it."""
    if new.client_certificate and new.client_certificate == old.client_certificate and not new.client_key:
        new.client_key = old.client_key


def _carry_remote_write(old: pb.RemoteWriteSink, new: pb.RemoteWriteSink) -> None:
    _carry_key(old, new)
    elsewhere = (
        new.url != old.url
        or (new.insecure_skip_verify and not old.insecure_skip_verify)
        or new.ca_certificates != old.ca_certificates
    )
    if new.username:
        if old.password and not new.password:
            _ask("remote_write.password", elsewhere or new.username != old.username)
            new.password = old.password
    elif old.bearer_token and not new.bearer_token:
        _ask("remote_write.bearer_token", elsewhere)
        new.bearer_token = old.bearer_token
    values = {header.name.lower(): header.value for header in old.headers}
    for place, header in enumerate(new.headers):
        if not header.value and values.get(header.name.lower()):
            _ask(f"remote_write.headers[{place}].value", elsewhere)
            header.value = values[header.name.lower()]


def _ask(field: str, needed: bool) -> None:
    if needed:
        raise invalid(field, "It must be given anew, since the address, or how it is verified, changes.")
