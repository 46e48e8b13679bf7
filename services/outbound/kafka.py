"""Kafka: messages of a topic, taken once all replicas in sync have them.

The client is librdkafka; it is loaded when it is first used, and is not there in a bare installation.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import threading
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from services.outbound.errors import Refused, Unavailable
from services.outbound.http_client import ClientCertificate
from services.outbound.timeouts import Timeouts

if TYPE_CHECKING:
    from confluent_kafka import Producer

log = logging.getLogger(__name__)

POLL_SECONDS = 0.01
# What the client itself writes goes where nobody sees it: failures reach us as errors.
_client_log = logging.getLogger(f"{__name__}.client")
_client_log.setLevel(logging.CRITICAL + 1)


class KafkaAddress(Protocol):
    """What the contract's messages say of a topic and the way to it."""

    topic: str
    username: str
    password: str
    sasl_mechanism: str
    tls: bool
    ca_certificates: str

    @property
    def bootstrap_servers(self) -> Sequence[str]:
        """HOST:PORT each."""
        ...


def client_missing() -> bool:
    """Whether this installation can't speak to Kafka."""
    return importlib.util.find_spec("confluent_kafka") is None


def leads_elsewhere(old: KafkaAddress, new: KafkaAddress) -> bool:
    """Whether a password that `old` sends would go to others, or less well protected: without TLS, or in clear where it
    was not sent at all."""
    return (
        bool(set(new.bootstrap_servers) - set(old.bootstrap_servers))
        or (old.tls and not new.tls)
        or new.ca_certificates != old.ca_certificates
        or (old.sasl_mechanism.startswith("SCRAM") and not new.sasl_mechanism.startswith("SCRAM"))
    )


def configuration(
    kafka: KafkaAddress, timeouts: Timeouts, certificate: ClientCertificate | None = None
) -> dict[str, Any]:
    """The client's settings."""
    secured = "SASL_" if kafka.username else ""
    found: dict[str, Any] = {
        "bootstrap.servers": ",".join(kafka.bootstrap_servers),
        "client.id": "delphis",
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 5,
        "compression.type": "zstd",
        "socket.connection.setup.timeout.ms": int(timeouts.connect_timeout * 1000),
        "message.timeout.ms": int(timeouts.total_timeout * 1000),
        "security.protocol": f"{secured}{'SSL' if kafka.tls else 'PLAINTEXT'}",
        "logger": _client_log,
    }
    if kafka.username:
        found |= {
            "sasl.mechanism": kafka.sasl_mechanism or "PLAIN",
            "sasl.username": kafka.username,
            "sasl.password": kafka.password,
        }
    if kafka.tls and kafka.ca_certificates:
        found["ssl.ca.pem"] = kafka.ca_certificates
    if kafka.tls and certificate is not None:
        found |= {"ssl.certificate.pem": certificate.chain, "ssl.key.pem": certificate.key}
    return found


class KafkaClient:
    """Writes to one topic."""

    def __init__(
        self, kafka: KafkaAddress, timeouts: Timeouts, *, certificate: ClientCertificate | None = None
    ) -> None:
        self._kafka = kafka
        self._certificate = certificate
        self._timeouts = timeouts
        self._producer: Producer | None = None
        self._problem = ""

    async def send(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Hands keys and values to the client, and waits until the brokers acknowledged each."""
        producer = self._open()
        outcomes: list[Any] = [None] * len(messages)
        waiting = len(messages)

        def settle(place: int, error: Any, message: Any = None) -> None:
            nonlocal waiting
            outcomes[place] = error
            waiting -= 1

        for place, (key, value) in enumerate(messages):
            try:
                producer.produce(self._kafka.topic, key=key, value=value, on_delivery=partial(settle, place))
            except Exception as error:  # noqa: BLE001 - the client's own, or BufferError
                settle(place, error.args[0] if error.args else error)
        end = asyncio.get_running_loop().time() + self._timeouts.total_timeout + 1.0
        try:
            while waiting:
                producer.poll(0)
                if waiting:
                    if asyncio.get_running_loop().time() > end:
                        raise Unavailable(self._why("the brokers did not acknowledge in time"))
                    await asyncio.sleep(POLL_SECONDS)
        except BaseException:
            # What is still in the client would overtake what is sent next.
            self._drop()
            raise
        self._judge(outcomes)

    async def close(self) -> None:
        """Lets go of the client."""
        self._drop()

    def _open(self) -> Producer:
        if self._producer is None:
            try:
                from confluent_kafka import KafkaException, Producer
            except ImportError:
                raise Unavailable("The client for Kafka, confluent-kafka, is not installed here.") from None
            self._problem = ""
            try:
                self._producer = Producer(
                    {**configuration(self._kafka, self._timeouts, self._certificate), "error_cb": self._note}
                )
            except KafkaException as error:
                raise Unavailable(f"The client does not take the settings: {_text(error.args[0])}.") from None
        return self._producer

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        producer.purge(blocking=False)
        # The end of a client joins its threads, which may take a second.
        threading.Thread(target=producer.close, name="kafka-close", daemon=True).start()

    def _note(self, error: Any) -> None:
        self._problem = _text(error)

    def _judge(self, outcomes: list[Any]) -> None:
        failed = next((place for place, error in enumerate(outcomes) if error is not None), None)
        if failed is None:
            return
        error = outcomes[failed]
        if _is_refusal(error):
            raise Refused(f"Kafka refused the message: {_text(error)}.", accepted=failed)
        self._drop()
        raise Unavailable(self._why(_text(error)), accepted=failed)

    def _why(self, text: str) -> str:
        return f"Kafka did not take it: {text}{f' ({self._problem})' if self._problem else ''}."


def _text(error: Any) -> str:
    name = getattr(error, "name", None)
    return f"{error.str()} [{name()}]".rstrip(".") if callable(name) else str(error).rstrip(".")


def _is_refusal(error: Any) -> bool:
    code = getattr(error, "code", None)
    if not callable(code):
        return False
    from confluent_kafka import KafkaError

    return code() in (
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.INVALID_RECORD,
    )
