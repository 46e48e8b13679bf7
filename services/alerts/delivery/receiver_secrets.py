"""A receiver's secrets: kept apart from the rest of it, and carried over when it is changed."""

from __future__ import annotations

from delphis.alert.v1 import delivery_pb2
from services.calls.errors import invalid
from services.outbound import kafka


def public(receiver: delivery_pb2.Receiver) -> delivery_pb2.Receiver:
    """The receiver without its secrets."""
    shown = delivery_pb2.Receiver()
    shown.CopyFrom(receiver)
    kind = shown.WhichOneof("how")
    if kind == "webhook":
        shown.webhook.ClearField("signing_key")
        for header in shown.webhook.headers:
            header.ClearField("value")
    elif kind == "alertmanager":
        shown.alertmanager.ClearField("bearer_token")
        shown.alertmanager.ClearField("password")
    elif kind == "kafka":
        shown.kafka.ClearField("password")
    return shown


def secret(receiver: delivery_pb2.Receiver) -> bytes:
    """The secrets alone, serialised; empty: there are none."""
    kept = delivery_pb2.Receiver()
    kind = receiver.WhichOneof("how")
    if kind == "webhook" and (receiver.webhook.signing_key or receiver.webhook.headers):
        kept.webhook.signing_key = receiver.webhook.signing_key
        kept.webhook.headers.extend(receiver.webhook.headers)
    elif kind == "alertmanager" and (receiver.alertmanager.bearer_token or receiver.alertmanager.password):
        kept.alertmanager.bearer_token = receiver.alertmanager.bearer_token
        kept.alertmanager.password = receiver.alertmanager.password
    elif kind == "kafka" and receiver.kafka.password:
        kept.kafka.password = receiver.kafka.password
    return kept.SerializeToString()


def whole(shown: delivery_pb2.Receiver, kept: bytes) -> delivery_pb2.Receiver:
    """The receiver with its secrets."""
    receiver = delivery_pb2.Receiver()
    receiver.CopyFrom(shown)
    if kept:
        secrets = delivery_pb2.Receiver.FromString(kept)
        if secrets.HasField("webhook"):
            receiver.webhook.ClearField("headers")  # they come with their values
        receiver.MergeFrom(secrets)
    return receiver


def carry_over(old: delivery_pb2.Receiver, new: delivery_pb2.Receiver) -> None:
    """Puts secrets that are not given anew into `new`.

    Raises INVALID_INPUT where one is not given and the new settings lead elsewhere, or less safely: else whoever may
    change a receiver could have its secrets sent to himself.
    """
    kind = new.WhichOneof("how")
    if kind is None or kind != old.WhichOneof("how"):
        return
    elsewhere = _leads_elsewhere(old, new)
    if kind == "webhook":
        _carry_webhook(old.webhook, new.webhook, elsewhere)
    elif kind == "alertmanager":
        _carry_alertmanager(old.alertmanager, new.alertmanager, elsewhere)
    elif kind == "kafka" and new.kafka.username and not new.kafka.password and old.kafka.password:
        _ask("kafka.password", elsewhere or new.kafka.username != old.kafka.username)
        new.kafka.password = old.kafka.password


def _carry_webhook(old: delivery_pb2.WebhookReceiver, new: delivery_pb2.WebhookReceiver, elsewhere: bool) -> None:
    if old.signing_key and not new.signing_key:
        _ask("webhook.signing_key", elsewhere)
        new.signing_key = old.signing_key
    values = {header.name.lower(): header.value for header in old.headers}
    for place, header in enumerate(new.headers):
        if not header.value and values.get(header.name.lower()):
            _ask(f"webhook.headers[{place}].value", elsewhere)
            header.value = values[header.name.lower()]


def _carry_alertmanager(
    old: delivery_pb2.AlertmanagerReceiver, new: delivery_pb2.AlertmanagerReceiver, elsewhere: bool
) -> None:
    if new.username:
        if old.password and not new.password:
            _ask("alertmanager.password", elsewhere or new.username != old.username)
            new.password = old.password
    elif old.bearer_token and not new.bearer_token:
        _ask("alertmanager.bearer_token", elsewhere)
        new.bearer_token = old.bearer_token


def _leads_elsewhere(old: delivery_pb2.Receiver, new: delivery_pb2.Receiver) -> bool:
    if new.HasField("webhook"):
        return new.webhook.url != old.webhook.url or _less_safe(old.webhook.tls, new.webhook.tls)
    if new.HasField("alertmanager"):
        added = set(new.alertmanager.urls) - set(old.alertmanager.urls)
        return bool(added) or _less_safe(old.alertmanager.tls, new.alertmanager.tls)
    if new.HasField("kafka"):
        return kafka.leads_elsewhere(old.kafka, new.kafka)
    return False


def _less_safe(old: delivery_pb2.ReceiverTls, new: delivery_pb2.ReceiverTls) -> bool:
    return new.insecure_skip_verify and not old.insecure_skip_verify


def _ask(field: str, needed: bool) -> None:
    if needed:
        raise invalid(field, "It must be given anew, since the address, or how it is verified, changes.")
