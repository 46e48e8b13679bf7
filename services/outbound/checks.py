"""What names, addresses, headers and certificates may be. INVALID_INPUT, by the field, where one is not allowed."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from services.calls.errors import invalid
from services.outbound.http_client import ClientCertificate, Tls, load_certificate, tls_context
from services.outbound.kafka import KafkaAddress, client_missing

MAX_HEADERS = 20
MAX_SERVERS = 20
MAX_URL = 2_000
MAX_SECRET = 4_096
MAX_CERTIFICATES = 256 * 1024

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,63}")
_TOPIC = re.compile(r"[A-Za-z0-9_.-]{1,249}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,253}[A-Za-z0-9_.])?")
_OURS = frozenset({"content-length", "transfer-encoding", "connection", "host", "user-agent", "expect"})
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class Header(Protocol):
    """A header of the contract's messages."""

    name: str
    value: str


@dataclass(slots=True)
class _Certificates:
    ca_certificates: str
    insecure_skip_verify: bool = False


def check_name(name: str) -> None:
    """Of a receiver, of a sink."""
    if not _NAME.fullmatch(name):
        raise invalid("name", "It must be 1 to 63 letters, digits and `-_.`.")


def check_headers(path: str, headers: Iterable[Header], *, ours: tuple[str, ...]) -> None:
    """An operator's headers; `ours` are those that we set, in lower case; with `-` at the end, how those begin."""
    listed = list(headers)
    if len(listed) > MAX_HEADERS:
        raise invalid(path, f"There may be at most {MAX_HEADERS}.")
    names: set[str] = set()
    for place, header in enumerate(listed):
        at, name = f"{path}[{place}]", header.name.lower()
        if not _HEADER_NAME.fullmatch(name):
            raise invalid(f"{at}.name", "It is no name of an HTTP header.")
        if name in _OURS or any(name.startswith(own) if own.endswith("-") else name == own for own in ours):
            raise invalid(f"{at}.name", "It is set by Delphis itself.")
        if name in names:
            raise invalid(f"{at}.name", "It is given twice.")
        names.add(name)
        if not header.value:
            raise invalid(f"{at}.value", "It must be set.")
        if len(header.value) > MAX_SECRET or not _HEADER_VALUE.fullmatch(header.value):
            raise invalid(f"{at}.value", f"It must be printable ASCII, at most {MAX_SECRET} characters.")


def check_kafka(path: str, kafka: KafkaAddress) -> None:
    """The way to a topic."""
    if client_missing():
        raise invalid(path, "This installation has no client for Kafka: install confluent-kafka.")
    if not 1 <= len(kafka.bootstrap_servers) <= MAX_SERVERS:
        raise invalid(f"{path}.bootstrap_servers", f"There must be 1 to {MAX_SERVERS}.")
    for place, server in enumerate(kafka.bootstrap_servers):
        host, _, port = server.rpartition(":")
        if not (_is_host(host) and port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535):
            raise invalid(f"{path}.bootstrap_servers[{place}]", "It must be HOST:PORT.")
    if not _TOPIC.fullmatch(kafka.topic) or kafka.topic in (".", ".."):
        raise invalid(f"{path}.topic", "It must be 1 to 249 letters, digits and `-_.`.")
    if kafka.sasl_mechanism and kafka.sasl_mechanism not in _MECHANISMS:
        raise invalid(f"{path}.sasl_mechanism", f"It must be one of {', '.join(_MECHANISMS)}.")
    if kafka.username and not kafka.password:
        raise invalid(f"{path}.password", "It must be set where username is.")
    if kafka.password and not kafka.username:
        raise invalid(f"{path}.username", "It must be set where password is.")
    for name in ("username", "password"):
        check_secret(f"{path}.{name}", getattr(kafka, name))
    if kafka.ca_certificates:
        if not kafka.tls:
            raise invalid(f"{path}.tls", "It must be set where ca_certificates are.")
        check_tls(path, _Certificates(kafka.ca_certificates))


def check_url(path: str, url: str, *, query: bool = True) -> None:
    """An address of HTTP."""
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


def check_secret(path: str, value: str) -> None:
    """A token, user or password."""
    if len(value) > MAX_SECRET or not value.isprintable():
        raise invalid(path, f"It must be printable, at most {MAX_SECRET} characters.")


def check_tls(path: str, tls: Tls) -> None:
    """The certificates that are trusted."""
    if not tls.ca_certificates:
        return
    if len(tls.ca_certificates) > MAX_CERTIFICATES:
        raise invalid(f"{path}.ca_certificates", f"It may have at most {MAX_CERTIFICATES} characters.")
    try:
        tls_context(tls)
    except (ssl.SSLError, ValueError):
        raise invalid(f"{path}.ca_certificates", "It has no PEM certificates that can be read.") from None


def check_client_certificate(path: str, certificate: ClientCertificate) -> None:
    """Our own certificate; none is none."""
    if not certificate.chain and not certificate.key:
        return
    for name, text in (("client_certificate", certificate.chain), ("client_key", certificate.key)):
        if not text:
            raise invalid(f"{path}.{name}", "client_certificate and client_key go together.")
        if len(text) > MAX_CERTIFICATES:
            raise invalid(f"{path}.{name}", f"It may have at most {MAX_CERTIFICATES} characters.")
    try:
        load_certificate(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate)
    except (ssl.SSLError, ValueError):
        raise invalid(
            f"{path}.client_certificate",
            "It must be a certificate, and client_key its key without a passphrase, PEM both.",
        ) from None


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
