"""One broker of Apache Kafka in KRaft mode, on ports and a folder of its own, with a listener for each way in."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException

from delphis.sdk.certificates import Authority, Party
from tests.support.up import wait_for

POM = Path(__file__).with_name("pom.xml")
JARS = Path(__file__).parents[3] / ".venv-kafka"
JAVA = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")
USER, PASSWORD = "ann", "word-3d9b"
LISTENERS = {"CONTROL": "PLAINTEXT", "PLAIN": "PLAINTEXT", "TLS": "SSL", "MUTUAL": "SSL", "LOGIN": "SASL_SSL"}
LOGIN = "org.apache.kafka.common.security"


@dataclass(slots=True)
class Broker:
    """A broker that may be killed and started again: what it acknowledged stays."""

    folder: Path
    ports: dict[str, int]
    authority: Authority = field(default_factory=lambda: Authority(datetime.now(UTC)))
    process: subprocess.Popen[bytes] | None = None

    def address(self, listener: str = "PLAIN") -> str:
        """Of a listener: PLAIN; TLS; MUTUAL, which wants a certificate; LOGIN, TLS with SASL."""
        return f"127.0.0.1:{self.ports[listener]}"

    @property
    def ca(self) -> str:
        """PEM of the authority."""
        return self.authority.pem.decode()

    def client(self) -> tuple[str, str]:
        """A certificate that it knows, and its key."""
        chain, key = self.authority.issue(Party("us", self.folder, is_core=True))
        return chain.decode(), key.decode()

    def prepare(self) -> None:
        """Makes certificates, settings, and the folder's format."""
        chain, key = self.authority.issue(Party("127.0.0.1", self.folder))
        (self.folder / "server.pem").write_bytes(key + chain)
        (self.folder / "ca.pem").write_bytes(self.authority.pem)
        (self.folder / "server.properties").write_text("\n".join(self._settings()))
        users = [f"SCRAM-SHA-{bits}=[name={USER},password={PASSWORD}]" for bits in (256, 512)]
        self._java(
            "kafka.tools.StorageTool", "format", "--cluster-id", "AAAAAAAAAAAAAAAAAAAAAQ",
            "--config", str(self.folder / "server.properties"),
            *(word for user in users for word in ("--add-scram", user)),
        ).communicate(timeout=120)  # fmt: skip

    def start(self) -> None:
        """Returns once it answers."""
        self.process = self._java("kafka.Kafka", str(self.folder / "server.properties"))
        wait_for("Kafka", self._answers, 120, 0.2)

    def kill(self) -> None:
        """At once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
            self.process = None

    def read(self, topic: str, count: int, *, seconds: float = 60) -> list[tuple[str, bytes]]:
        """Key and body of the topic's messages, each partition's in order: so many at least, or all of that time."""
        found: list[tuple[str, bytes]] = []
        consumer = Consumer(
            {
                "bootstrap.servers": self.address(),
                "group.id": f"test-{time.monotonic_ns()}",
                "auto.offset.reset": "earliest",
                "allow.auto.create.topics": True,
            }
        )
        try:
            consumer.subscribe([topic])
            end = time.monotonic() + seconds
            while len(found) < count and time.monotonic() < end:
                message = consumer.poll(0.2)
                if message is not None and message.error() is None:
                    found.append(((message.key() or b"").decode(), message.value() or b""))
        finally:
            consumer.close()
        return found

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        consumer = Consumer({"bootstrap.servers": self.address(), "group.id": "ready", "log_level": 0})
        try:
            return bool(consumer.list_topics(timeout=1).brokers)
        except KafkaException:
            return False
        finally:
            consumer.close()

    def _java(self, *command: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                ["java", *JAVA, "-cp", f"{jars()}/*", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _settings(self) -> Iterator[str]:
        ports = self.ports
        yield "process.roles=broker,controller"
        yield "node.id=1"
        yield f"controller.quorum.voters=1@127.0.0.1:{ports['CONTROL']}"
        yield "controller.listener.names=CONTROL"
        yield "inter.broker.listener.name=PLAIN"
        yield "listeners=" + ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())
        outside = [name for name in ports if name != "CONTROL"]
        yield "advertised.listeners=" + ",".join(f"{name}://{self.address(name)}" for name in outside)
        yield "listener.security.protocol.map=" + ",".join(f"{name}:{kind}" for name, kind in LISTENERS.items())
        yield "ssl.keystore.type=PEM"
        yield f"ssl.keystore.location={self.folder}/server.pem"
        yield "ssl.truststore.type=PEM"
        yield f"ssl.truststore.location={self.folder}/ca.pem"
        yield "listener.name.mutual.ssl.client.auth=required"
        yield "listener.name.login.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"
        plain = f'{LOGIN}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        yield f"listener.name.login.plain.sasl.jaas.config={plain}"
        for bits in (256, 512):
            yield f"listener.name.login.scram-sha-{bits}.sasl.jaas.config={LOGIN}.scram.ScramLoginModule required;"
        yield f"log.dirs={self.folder}/data"
        yield "num.partitions=3"
        for name in ("offsets.topic", "transaction.state.log"):
            yield f"{name}.replication.factor=1"
            yield f"{name}.num.partitions=1"
        yield "transaction.state.log.min.isr=1"
        yield "group.initial.rebalance.delay.ms=0"


def jars() -> Path:
    """The broker's program, which Maven fetches at the first run."""
    version = POM.read_text().partition("<artifactId>kafka_2.13</artifactId>")[2].split("<version>")[1].split("<")[0]
    there = JARS / version
    if not there.exists():
        JARS.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=JARS) as folder:
            fetched = Path(folder) / "jars"
            done = subprocess.run(
                ["mvn", "--quiet", "--batch-mode", "--file", str(POM), "dependency:copy-dependencies",
                 f"-DoutputDirectory={fetched}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=300,
                check=False,
            )  # fmt: skip
            if done.returncode:
                # Where no registry of Maven can be reached, nothing is wrong with us.
                pytest.skip(f"kafka: Maven could not fetch the broker: {done.stdout[-500:]}")
            if not there.exists():  # another worker may have been quicker
                shutil.copytree(fetched, f"{there}.{os.getpid()}")
                os.replace(f"{there}.{os.getpid()}", there)
    return there


def _free_ports(names: list[str]) -> dict[str, int]:
    with ExitStack() as stack:
        taken: dict[str, int] = {}
        for name in names:
            held = stack.enter_context(socket.socket())
            held.bind(("127.0.0.1", 0))
            taken[name] = held.getsockname()[1]
        return taken


@contextmanager
def broker(folder: Path) -> Iterator[Broker]:
    """A broker at work."""
    made = Broker(folder, _free_ports(list(LISTENERS)))
    made.prepare()
    try:
        made.start()
        yield made
    finally:
        made.kill()
