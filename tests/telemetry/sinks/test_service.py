"""SinkService: what a sink may be, and what is never shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.calls.errors import CallError
from services.telemetry.sinks import records
from tests.telemetry.sinks.scene import Scene, scene

URL = "http://127.0.0.1:1/api/v1/write"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


def _written(**fields: object) -> pb.Sink:
    return pb.Sink(name="p", remote_write=pb.RemoteWriteSink(**{"url": URL, **fields}))  # type: ignore[arg-type]


def _topic(**fields: object) -> pb.Sink:
    return pb.Sink(name="p", kafka=pb.KafkaSink(**fields))  # type: ignore[arg-type]


_OURS = pb.SinkHeader(name="Content-Encoding", value="x")
BAD = {
    "name": ("name", pb.Sink(name="a b", remote_write=pb.RemoteWriteSink(url=URL))),
    "nowhere": ("where", pb.Sink(name="p")),
    "history": ("where", pb.Sink(name="p", history=pb.HistorySink())),
    "kind": ("kinds[1]", pb.Sink(name="p", kinds=["volume", "volumes"], remote_write=pb.RemoteWriteSink(url=URL))),
    "twice": ("kinds", pb.Sink(name="p", kinds=["disk", "disk"], remote_write=pb.RemoteWriteSink(url=URL))),
    "url": ("remote_write.url", _written(url="ftp://x")),
    "password in url": ("remote_write.url", _written(url="http://u:p@x/")),
    "batch": ("remote_write.batch_size", _written(batch_size=99)),
    "both": ("remote_write.username", _written(bearer_token="t", username="u")),
    "no user": ("remote_write.username", _written(password="p")),
    "our header": ("remote_write.headers[0].name", _written(headers=[_OURS])),
    "header": ("remote_write.headers[0].value", _written(headers=[pb.SinkHeader(name="a")])),
    "certificates": ("remote_write.ca_certificates", _written(ca_certificates="none")),
    "format": ("kafka.format", _topic(bootstrap_servers=["b:1"], topic="t", format="xml")),
    "brokers": ("kafka.bootstrap_servers[0]", _topic(bootstrap_servers=["b"], topic="t")),
    "topic": ("kafka.topic", _topic(bootstrap_servers=["b:1"])),
}


@pytest.mark.parametrize("case", BAD)
async def test_what_is_not_allowed_is_named(here: Scene, case: str) -> None:
    field, sink = BAD[case]
    with pytest.raises(CallError) as caught:
        await here.call("CreateSink", pb.CreateSinkRequest(sink=sink), pb.Sink)
    assert caught.value.reason == "INVALID_INPUT"
    assert caught.value.metadata["field"] == field


async def test_names_are_unique_and_sinks_are_bounded(here: Scene) -> None:
    first = await here.remote_write(URL, name="first")
    for name in ("first", "history"):
        with pytest.raises(CallError) as caught:
            await here.remote_write(URL, name=name)
        assert caught.value.reason == "SINK_ALREADY_EXISTS"
    second = await here.remote_write(URL, name="second")
    with pytest.raises(CallError) as caught:
        await here.update(second, pb.Sink(name="first", remote_write=pb.RemoteWriteSink(url=URL)))
    assert caught.value.reason == "SINK_ALREADY_EXISTS"
    for number in range(18):
        await here.remote_write(URL, name=f"more-{number}")
    with pytest.raises(CallError, match="20 sinks"):
        await here.remote_write(URL, name="too-much")
    await here.call("DeleteSink", pb.DeleteSinkRequest(id=first.id), pb.DeleteSinkResponse)
    with pytest.raises(CallError) as caught:
        await here.get(first)
    assert caught.value.reason == "SINK_NOT_FOUND"


async def test_the_history_is_listed_and_stays(here: Scene) -> None:
    await here.remote_write(URL, name="zebra")
    await here.remote_write(URL, name="ant")
    listed = (await here.call("ListSinks", pb.ListSinksRequest(), pb.ListSinksResponse)).sinks
    assert [sink.name for sink in listed] == ["ant", "history", "zebra"]
    history = listed[1]
    assert history.HasField("history")
    assert (await here.get(history)) == history
    for name, request in (
        ("DeleteSink", pb.DeleteSinkRequest(id="history")),
        ("UpdateSink", pb.UpdateSinkRequest(id="history", sink=_written())),
    ):
        with pytest.raises(CallError, match="history can't be"):
            await here.call(name, request, pb.Sink)


async def test_secrets_are_kept_and_never_shown(here: Scene, tmp_path: Path) -> None:
    secrets = ("secret-1f0a", "secret-2f0a")
    given = _written(bearer_token=secrets[0], headers=[pb.SinkHeader(name="X-Key", value=secrets[1])])
    sink = await here.call("CreateSink", pb.CreateSinkRequest(sink=given), pb.Sink)
    changed = _written(headers=[pb.SinkHeader(name="x-key")])
    changed.kinds.append("volume")
    shown = [sink, await here.get(sink), await here.update(sink, changed)]
    assert not any(secret in str(one) for one in shown for secret in secrets)
    [stored] = await here.store.read(records.load_all)
    opened = await here.sinks.opened(stored)
    assert opened.remote_write.bearer_token == secrets[0]
    assert opened.remote_write.headers[0].value == secrets[1]
    with pytest.raises(CallError) as caught:
        await here.update(sink, _written(url="http://127.0.0.2:1/", headers=[pb.SinkHeader(name="x-key")]))
    assert caught.value.metadata["field"] == "remote_write.bearer_token"
    await here.store.close()
    kept = _files(tmp_path)
    assert b"X-Key" in kept or b"x-key" in kept
    assert not any(secret.encode() in kept for secret in secrets)


@pytest.mark.parametrize(
    "weaker",
    [
        {"sasl_mechanism": "PLAIN", "tls": True},
        {"sasl_mechanism": "", "tls": True},
        {"sasl_mechanism": "SCRAM-SHA-512"},
        {"sasl_mechanism": "SCRAM-SHA-512", "tls": True, "bootstrap_servers": ["b:1", "c:1"]},
    ],
)
async def test_a_password_is_not_carried_to_where_it_is_less_safe(here: Scene, weaker: dict[str, object]) -> None:
    of = {"bootstrap_servers": ["b:1"], "topic": "t", "username": "u"}
    strong = _topic(**of, sasl_mechanism="SCRAM-SHA-256", tls=True, password="secret-3f0a")
    sink = await here.call("CreateSink", pb.CreateSinkRequest(sink=strong), pb.Sink)
    await here.update(sink, _topic(**of, sasl_mechanism="SCRAM-SHA-512", tls=True))
    with pytest.raises(CallError) as caught:
        await here.update(sink, _topic(**{**of, **weaker}))
    assert caught.value.metadata["field"] == "kafka.password"


def _files(folder: Path) -> bytes:
    """All that lies in the database's files."""
    return b"".join(file.read_bytes() for file in folder.iterdir() if file.name.startswith("telemetry.db"))
