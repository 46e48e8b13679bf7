"""What a receiver and a silence may be."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from google.protobuf.duration_pb2 import Duration

from delphis.alert.v1 import delivery_pb2
from services.alerts.delivery.http_client import tls_context
from services.alerts.delivery.kafka import client_missing
from services.alerts.delivery.matching import is_empty
from services.alerts.delivery.settings import EVENTS_A_BATCH
from services.calls.errors import invalid
from services.values import times

MAX_RULES = 50
MAX_VALUES = 500
MAX_TEXT = 255
MAX_HEADERS = 20
MAX_MEMBERS = 10
MAX_URL = 2_000
MAX_SECRET = 4_096
MAX_CERTIFICATES = 256 * 1024
MAX_REASON = 1_000
MAX_SILENCE = 366 * times.DAY
DEFAULT_MAX_AGE = 7 * times.DAY

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,63}")
_TOPIC = re.compile(r"[A-Za-z0-9_.-]{1,249}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,253}[A-Za-z0-9_.])?")
_OURS = frozenset({"content-type", "content-length", "transfer-encoding", "connection", "host", "user-agent", "expect"})
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


def check_receiver(receiver: delivery_pb2.Receiver) -> None:
    """INVALID_INPUT, by the field's name, where something is missing or not allowed."""
    if not _NAME.fullmatch(receiver.name):
        raise invalid("name", "It must be 1 to 63 letters, digits and `-_.`.")
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
        _check_kafka(receiver.kafka)
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
    _check_url("webhook.url", webhook.url)
    if webhook.signing_key and not 16 <= len(webhook.signing_key) <= 256:
        raise invalid("webhook.signing_key", "It must have 16 to 256 characters.")
    if len(webhook.headers) > MAX_HEADERS:
        raise invalid("webhook.headers", f"There may be at most {MAX_HEADERS}.")
    names: set[str] = set()
    for place, header in enumerate(webhook.headers):
        path, name = f"webhook.headers[{place}]", header.name.lower()
        if not _HEADER_NAME.fullmatch(name):
            raise invalid(f"{path}.name", "It is no name of an HTTP header.")
        if name in _OURS or name.startswith("delphis-"):
            raise invalid(f"{path}.name", "It is set by Delphis itself.")
        if name in names:
            raise invalid(f"{path}.name", "It is given twice.")
        names.add(name)
        if not header.value:
            raise invalid(f"{path}.value", "It must be set.")
        if len(header.value) > MAX_SECRET or not _HEADER_VALUE.fullmatch(header.value):
            raise invalid(f"{path}.value", f"It must be printable ASCII, at most {MAX_SECRET} characters.")
    if not 0 <= webhook.batch_size <= EVENTS_A_BATCH:
        raise invalid("webhook.batch_size", f"It must be 0 to {EVENTS_A_BATCH}.")
    _check_tls("webhook.tls", webhook.tls)


def _check_alertmanager(alertmanager: delivery_pb2.AlertmanagerReceiver) -> None:
    if not 1 <= len(alertmanager.urls) <= MAX_MEMBERS:
        raise invalid("alertmanager.urls", f"There must be 1 to {MAX_MEMBERS}.")
    for place, url in enumerate(alertmanager.urls):
        _check_url(f"alertmanager.urls[{place}]", url, query=False)
    if len(set(alertmanager.urls)) != len(alertmanager.urls):
        raise invalid("alertmanager.urls", "One is given twice.")
    if alertmanager.bearer_token and alertmanager.username:
        raise invalid("alertmanager.username", "Only one of bearer_token and username may be set.")
    if alertmanager.password and not alertmanager.username:
        raise invalid("alertmanager.username", "It must be set where password is.")
    if ":" in alertmanager.username:
        raise invalid("alertmanager.username", "It must not have a colon.")
    for name in ("bearer_token", "username", "password"):
        _check_secret(f"alertmanager.{name}", getattr(alertmanager, name))
    if alertmanager.HasField("resend_interval"):
        path = "alertmanager.resend_interval"
        times.of_duration(path, alertmanager.resend_interval, least=30 * times.SECOND, most=times.HOUR)
    _check_tls("alertmanager.tls", alertmanager.tls)


def _check_kafka(kafka: delivery_pb2.KafkaReceiver) -> None:
    if client_missing():
        raise invalid("kafka", "This installation has no client for Kafka: install confluent-kafka.")
    if not 1 <= len(kafka.bootstrap_servers) <= MAX_HEADERS:
        raise invalid("kafka.bootstrap_servers", f"There must be 1 to {MAX_HEADERS}.")
    for place, server in enumerate(kafka.bootstrap_servers):
        host, _, port = server.rpartition(":")
        if not (_is_host(host) and port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535):
            raise invalid(f"kafka.bootstrap_servers[{place}]", "It must be HOST:PORT.")
    if not _TOPIC.fullmatch(kafka.topic) or kafka.topic in (".", ".."):
        raise invalid("kafka.topic", "It must be 1 to 249 letters, digits and `-_.`.")
    if kafka.sasl_mechanism and kafka.sasl_mechanism not in _MECHANISMS:
        raise invalid("kafka.sasl_mechanism", f"It must be one of {', '.join(_MECHANISMS)}.")
    if kafka.username and not kafka.password:
        raise invalid("kafka.password", "It must be set where username is.")
    if kafka.password and not kafka.username:
        raise invalid("kafka.username", "It must be set where password is.")
    for name in ("username", "password"):
        _check_secret(f"kafka.{name}", getattr(kafka, name))
    if kafka.ca_certificates:
        if not kafka.tls:
            raise invalid("kafka.tls", "It must be set where ca_certificates are.")
        _check_tls("kafka", delivery_pb2.ReceiverTls(ca_certificates=kafka.ca_certificates))


def _check_url(path: str, url: str, *, query: bool = True) -> None:
    if not url:
        raise invalid(path, "It must be set.")
    if len(url) > MAX_URL or not url.isascii() or any(sign <= " " for sign in url):
        raise invalid(path, f"It must be ASCII without spaces, at most {MAX_URL} characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise invalid(path, "It is no address: `http://HOST:PORT/PATH` or `https://…`.") from None
    if parts.scheme not in ("http", "https") or port == 0 or not _is_host(_bracketed(parts.hostname or "")):
        raise invalid(path, "It must be an address that begins with `http://` or `https://` and a host.")
    if parts.username is not None or parts.password is not None:
        raise invalid(path, "It must have no user and password: addresses are shown.")
    if parts.fragment or (parts.query and not query):
        raise invalid(path, "It must have no fragment." if query else "It must have neither query nor fragment.")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_host(host: str) -> bool:
    if host.startswith("[") and host.endswith("]"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            return False
        return True
    return bool(_HOST.fullmatch(host))


def _check_secret(path: str, value: str) -> None:
    if len(value) > MAX_SECRET or not value.isprintable():
        raise invalid(path, f"It must be printable, at most {MAX_SECRET} characters.")


def _check_tls(path: str, tls: delivery_pb2.ReceiverTls) -> None:
    if not tls.ca_certificates:
        return
    if len(tls.ca_certificates) > MAX_CERTIFICATES:
        raise invalid(f"{path}.ca_certificates", f"It may have at most {MAX_CERTIFICATES} characters.")
    try:
        tls_context(tls)
    except (ssl.SSLError, ValueError):
        raise invalid(f"{path}.ca_certificates", "It has no PEM certificates that can be read.") from None
