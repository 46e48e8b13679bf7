"""What a receiver and a silence may be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from google.protobuf.duration_pb2 import Duration

from delphis.alert.v1 import delivery_pb2
from services.alerts.delivery.matching import is_empty
from services.alerts.delivery.settings import EVENTS_A_BATCH
from services.calls.errors import invalid
from services.outbound.checks import check_headers, check_kafka, check_name, check_secret, check_tls, check_url
from services.values import times

MAX_RULES = 50
MAX_VALUES = 500
MAX_TEXT = 255
MAX_MEMBERS = 10
MAX_REASON = 1_000
MAX_SILENCE = 366 * times.DAY
DEFAULT_MAX_AGE = 7 * times.DAY


def check_receiver(receiver: delivery_pb2.Receiver) -> None:
    """INVALID_INPUT, by the field's name, where something is missing or not allowed."""
    check_name(receiver.name)
    if len(receiver.rules) > MAX_RULES:
        raise invalid("rules", f"There may be at most {MAX_RULES}.")
    for place, rule in enumerate(receiver.rules):
        check_match(f"rules[{place}]", rule)
    if receiver.HasField("max_age"):
        times.of_duration("max_age", receiver.max_age, least=times.MINUTE, most=30 * times.DAY)
    kind = receiver.WhichOneof("how")
    if kind == "webhook":
        _check_webhook(receiver.webhook)
    elif kind == "alertmanager":
        _check_alertmanager(receiver.alertmanager)
    elif kind == "kafka":
        check_kafka("kafka", receiver.kafka)
    elif kind is None:
        raise invalid("how", "One of webhook, alertmanager, kafka and log must be set.")


def max_age_of(receiver: delivery_pb2.Receiver) -> int:
    """Microseconds after which an event is dropped."""
    return _micros(receiver.max_age) if receiver.HasField("max_age") else DEFAULT_MAX_AGE


def check_match(path: str, match: delivery_pb2.AlertMatch) -> None:
    """As `check_receiver`, for a rule or what a silence means."""
    if is_empty(match):
        raise invalid(path, "At least one of its fields must be set.")
    for name in ("severities", "categories"):
        values: Sequence[int] = getattr(match, name)
        if len(values) > MAX_VALUES or 0 in values:
            raise invalid(f"{path}.{name}", "It must have known values.")
    for name in ("vendors", "storage_ids", "resource_types", "alert_ids"):
        _check_texts(f"{path}.{name}", getattr(match, name))
    if len(match.labels) > MAX_VALUES:
        raise invalid(f"{path}.labels", f"There may be at most {MAX_VALUES}.")
    for key, value in match.labels.items():
        if not key or len(key) > MAX_TEXT or len(value) > MAX_TEXT:
            raise invalid(f"{path}.labels", f"Keys have 1 to {MAX_TEXT} characters, values at most {MAX_TEXT}.")


def check_silence(silence: delivery_pb2.Silence, now: int) -> tuple[int, int]:
    """As `check_receiver`; answers when the silence begins and ends."""
    check_match("match", silence.match)
    starts_at = times.of_stamp(silence.starts_at) if silence.HasField("starts_at") else now
    if starts_at <= 0:
        raise invalid("starts_at", "It must lie after 1970.")
    if not silence.HasField("ends_at"):
        raise invalid("ends_at", "It must be set.")
    ends_at = times.of_stamp(silence.ends_at)
    if not now < ends_at <= now + MAX_SILENCE:
        raise invalid("ends_at", "It must lie in the future, at most 366 days from now.")
    if ends_at <= starts_at:
        raise invalid("ends_at", "It must lie after starts_at.")
    if len(silence.reason) > MAX_REASON:
        raise invalid("reason", f"It may have at most {MAX_REASON} characters.")
    return min(starts_at, ends_at), ends_at


def _micros(span: Duration) -> int:
    return span.seconds * times.SECOND + span.nanos // 1000


def _check_texts(path: str, values: Iterable[str]) -> None:
    listed = list(values)
    if len(listed) > MAX_VALUES:
        raise invalid(path, f"There may be at most {MAX_VALUES}.")
    if any(not value or len(value) > MAX_TEXT for value in listed):
        raise invalid(path, f"Each must have 1 to {MAX_TEXT} characters.")


def _check_webhook(webhook: delivery_pb2.WebhookReceiver) -> None:
    check_url("webhook.url", webhook.url)
    if webhook.signing_key and not 16 <= len(webhook.signing_key) <= 256:
        raise invalid("webhook.signing_key", "It must have 16 to 256 characters.")
    check_headers("webhook.headers", webhook.headers, ours=("content-type", "delphis-"))
    if not 0 <= webhook.batch_size <= EVENTS_A_BATCH:
        raise invalid("webhook.batch_size", f"It must be 0 to {EVENTS_A_BATCH}.")
    check_tls("webhook.tls", webhook.tls)


def _check_alertmanager(alertmanager: delivery_pb2.AlertmanagerReceiver) -> None:
    if not 1 <= len(alertmanager.urls) <= MAX_MEMBERS:
        raise invalid("alertmanager.urls", f"There must be 1 to {MAX_MEMBERS}.")
    for place, url in enumerate(alertmanager.urls):
        check_url(f"alertmanager.urls[{place}]", url, query=False)
    if len(set(alertmanager.urls)) != len(alertmanager.urls):
        raise invalid("alertmanager.urls", "One is given twice.")
    if alertmanager.bearer_token and alertmanager.username:
        raise invalid("alertmanager.username", "Only one of bearer_token and username may be set.")
    if alertmanager.password and not alertmanager.username:
        raise invalid("alertmanager.username", "It must be set where password is.")
    if ":" in alertmanager.username:
        raise invalid("alertmanager.username", "It must not have a colon.")
    for name in ("bearer_token", "username", "password"):
        check_secret(f"alertmanager.{name}", getattr(alertmanager, name))
    if alertmanager.HasField("resend_interval"):
        path = "alertmanager.resend_interval"
        times.of_duration(path, alertmanager.resend_interval, least=30 * times.SECOND, most=times.HOUR)
    check_tls("alertmanager.tls", alertmanager.tls)
