"""A database that is slow, dead, lying or endless: its part is missing, and the answer says why."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.app.failure import StartFailure
from services.calls.errors import CallError
from services.outbound.timeouts import Timeouts
from services.telemetry.query import database as database_module
from services.telemetry.query import reading as reading_module
from services.telemetry.query.checks import database_settings
from services.telemetry.query.database import Database, DatabaseSettings
from services.telemetry.query.errors import DatabaseFault
from services.telemetry.query.queries import Queries
from services.telemetry.settings import TelemetryChoices
from tests.alerts.delivery.web import Reply, Request, answer, web
from tests.sdk_http.certificates import authority, server_certificate
from tests.telemetry.query.scene import HOUR, ONE, PATIENT, STEP, STEPS, TWO, scene

ALL = STEPS * STEP
NO_RESULT = "What it answered is no result of a query."


def _result(*series: dict[str, Any], **fields: Any) -> bytes:
    data = {"resultType": "matrix", "result": list(series)}
    return answer(200, json.dumps({"status": "success", "data": data, **fields}).encode())


def _series(values: Any, **labels: Any) -> dict[str, Any]:
    return {"metric": {"storage_id": ONE, "resource_id": "v", **labels}, "values": values}


BAD: dict[str, tuple[bytes, str]] = {
    "no JSON": (answer(200, b"<html>"), NO_RESULT),
    "nothing": (answer(200), NO_RESULT),
    "deep": (answer(200, b"[" * 100_000), NO_RESULT),
    "a number": (answer(200, b"7"), NO_RESULT),
    "no status": (answer(200, b"{}"), NO_RESULT),
    "no data": (answer(200, b'{"status":"success"}'), NO_RESULT),
    "a vector": (answer(200, b'{"status":"success","data":{"resultType":"vector","result":[]}}'), NO_RESULT),
    "no labels": (_result({"metric": {}, "values": []}), NO_RESULT),
    "labels of another kind": (_result(_series([], storage_id=[])), NO_RESULT),
    "an id of another kind": (_result(_series([], resource_id=7)), "It answered series that were not asked for."),
    "points of another form": (_result(_series([1, 2])), NO_RESULT),
    "values of another form": (_result(_series([[1, "x"]])), NO_RESULT),
    "no values": (_result(_series(None)), NO_RESULT),
    "times that can't be": (_result(_series([[1e300, "1"]])), "It answered for times that can't be."),
    "what was not asked for": (_result(_series([], storage_id="x")), "It answered series that were not asked for."),
    "a part": (_result(isPartial=True), "It answered that parts of it are away."),
    "an error": (
        answer(200, b'{"status":"error","error":"no\\nway ' + b"x" * 9_000 + b'"}'), "It answered: no way xxxxxx",
    ),
    "unavailable": (answer(503, b"later"), "It answered 503: later"),
    "not allowed": (answer(401, b"who are you"), "It answered 401: who are you"),
    "too many samples": (answer(422, b"too many"), "It answered 422: too many"),
    "elsewhere": (answer(302, Location="http://127.0.0.1:1/"), "redirects are not followed"),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", "The connection failed: "),
    "cut short": (answer(200, b"x" * 100)[:-50], "The connection failed: "),
}  # fmt: skip


async def test_what_is_no_answer_is_told_and_the_rest_is_answered(tmp_path: Path) -> None:
    case = ""

    def cut() -> None:
        for writer in site.writers:
            writer.close()

    def bad(_: Request) -> bytes:
        if case in ("no HTTP", "cut short"):
            asyncio.get_running_loop().call_soon(cut)
        return BAD[case][0]

    async with web(bad) as site, scene(tmp_path, None) as here:
        for case in BAD:
            said = BAD[case][1]
            there = Database(DatabaseSettings(site.url.removesuffix("/hook")), PATIENT)
            here.queries = Queries(here.day, there)
            answered = await here.ask(here.question(0, ALL))
            [warning] = answered.warnings
            assert said in warning, case
            assert len(warning) < 500, case
            assert answered.source == pb.METRIC_SOURCE_HISTORY, case
            assert len(answered.series) == 6, case
            assert [bool(part.problem) for part in answered.parts] == [True, False], case
            with pytest.raises(CallError, match="see to the database") as caught:
                await here.ask(here.question(0, HOUR))
            assert caught.value.reason == "METRIC_SOURCE_UNAVAILABLE", case
            assert said in caught.value.message, case
            await there.close()


async def test_a_dead_database_is_not_waited_for_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "PAUSE_SECONDS", 600.0)

    async def never(_: Request) -> Reply:
        await asyncio.sleep(600)
        return None

    async with web(never) as site, scene(tmp_path, None) as here:
        there = Database(DatabaseSettings(site.url), Timeouts(5.0, 0.5, 5.0))
        here.queries = Queries(here.day, there)
        for _ in range(5):
            [warning] = (await here.ask(here.question(0, ALL))).warnings
            assert "did not answer in time" in warning
        assert len(site.seen) == 1
        await there.close()
        nobody = Database(DatabaseSettings("http://127.0.0.1:1"), PATIENT)
        here.queries = Queries(here.day, nobody)
        [warning] = (await here.ask(here.question(0, ALL))).warnings
        assert "No connection" in warning
        await nobody.close()


async def test_a_slow_database_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "SECONDS", 0.5)

    async def slow(_: Request) -> Reply:
        await asyncio.sleep(0.2)
        return _result()

    async with web(slow) as site, scene(tmp_path, None, url=site.url.removesuffix("/hook")) as here:
        asked = here.question(0, ALL, metrics=["iops", "readIops", "writeIops", "throughput", "readThroughput"])
        [warning] = (await here.ask(asked)).warnings
        assert "did not answer all requests within 0.5 s" in warning


async def test_an_endless_answer_is_too_broad_a_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "MOST_BYTES", 100_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n"
    async with (
        web(lambda _: head + b" " * 200_000) as site,
        scene(tmp_path, None, url=site.url.removesuffix("/hook")) as here,
    ):
        for fields in ({}, {"step": HOUR}):
            with pytest.raises(CallError, match="a shorter time") as caught:
                await here.ask(here.question(0, ALL, **fields))
            assert caught.value.reason == "QUERY_TOO_BROAD"
        assert len(site.seen) < 100


async def test_more_points_than_a_query_may_read_are_too_broad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_module, "MOST_POINTS", 100)

    def many(request: Request) -> bytes:
        return _result(_series([[here.begin / 1000 + second, "1"] for second in range(101)]))

    async with web(many) as site, scene(tmp_path, None, url=site.url.removesuffix("/hook")) as here:
        with pytest.raises(CallError) as caught:
            await here.ask(here.question(0, ALL))
        assert caught.value.reason == "QUERY_TOO_BROAD"


async def test_answers_for_other_times_are_none(tmp_path: Path) -> None:
    def moved(_: Request) -> bytes:
        return _result(_series([[1_700_000_000, "1"]]))

    async with web(moved) as site, scene(tmp_path, None, url=site.url.removesuffix("/hook")) as here:
        assert (await here.ask(here.question(0, HOUR))).series == []
        with pytest.raises(CallError, match="other times than were asked for"):
            await here.ask(here.question(0, 5 * HOUR, step=HOUR))


async def _asked(settings: DatabaseSettings) -> None:
    there = Database(settings, PATIENT)
    try:
        assert await there.samples(f'm{{storage_id="{TWO}"}}', 0, 1000, frozenset({TWO})) == {}
    finally:
        await there.close()


async def test_who_asks_proves_himself(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("first-4c1f\n")
    async with web(lambda _: _result()) as site:
        settings = DatabaseSettings(site.url, token_file=str(secret), headers={"X-Scope-OrgID": "storage"})
        there = Database(settings, PATIENT)
        for token in ("first-4c1f", "second-4c1f"):
            secret.write_text(token)
            await there.samples("m", 0, 1000, frozenset())
            assert site.seen[-1].headers["authorization"] == f"Bearer {token}"
            assert site.seen[-1].headers["x-scope-orgid"] == "storage"
        site.behaviour = lambda request: answer(403, request.headers["authorization"].encode())
        with pytest.raises(DatabaseFault) as caught:
            await there.samples("m", 0, 1000, frozenset())
        assert "403" in str(caught.value)
        assert "second-4c1f" not in str(caught.value)
        await there.close()
        secret.unlink()
        there = Database(settings, PATIENT)
        with pytest.raises(DatabaseFault, match="secret can't be read"):
            await there.samples("m", 0, 1000, frozenset())
        await there.close()
        secret.write_text("word-4c1f")
        site.behaviour = lambda _: _result()
        await _asked(DatabaseSettings(site.url, user="ann", password_file=str(secret)))
        assert base64.b64decode(site.seen[-1].headers["authorization"].removeprefix("Basic ")) == b"ann:word-4c1f"


async def test_its_certificate_is_checked(tmp_path: Path) -> None:
    ours, other = authority(tmp_path), authority(tmp_path, "another")
    server = server_certificate(tmp_path, signer=ours)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate_file, server.key_file)
    async with web(lambda _: _result(), tls=context) as site:
        settings = DatabaseSettings(site.url, ca_certificates=ours.pem)
        await _asked(settings)
        for wrong in (replace(settings, ca_certificates=other.pem), replace(settings, ca_certificates="")):
            with pytest.raises(DatabaseFault, match="not trusted"):
                await _asked(wrong)


def _given(folder: Path) -> dict[str, tuple[dict[str, Any], str]]:
    good, bad = folder / "good", folder / "bad"
    good.write_text("secret")
    bad.write_text("two\nlines-8d8d")
    url = "http://127.0.0.1:9090"
    return {
        "no address": ({"prometheus_token_file": str(good)}, "needs --prometheus"),
        "no web address": ({"prometheus": "ftp://x"}, "--prometheus"),
        "a password in it": ({"prometheus": "http://a:b@x"}, "no user and password"),
        "a query in it": ({"prometheus": "http://x/?a=b"}, "neither query nor fragment"),
        "user alone": ({"prometheus": url, "prometheus_user": "a"}, "go together"),
        "both": (
            {"prometheus": url, "prometheus_user": "a", "prometheus_password_file": str(good),
             "prometheus_token_file": str(good)}, "not both",
        ),
        "a bad secret": ({"prometheus": url, "prometheus_token_file": str(bad)}, "one line of ASCII"),
        "no secret": ({"prometheus": url, "prometheus_token_file": str(folder / "none")}, "--prometheus-token-file"),
        "no certificates": ({"prometheus": url, "prometheus_ca": str(good)}, "--prometheus-ca"),
        "our header": ({"prometheus": url, "prometheus_headers": {"Authorization": "x"}}, "set by Delphis itself"),
    }  # fmt: skip


def test_wrong_settings_are_named_at_the_start(tmp_path: Path) -> None:
    for name, (fields, said) in _given(tmp_path).items():
        with pytest.raises(StartFailure) as caught:
            database_settings(TelemetryChoices(**fields))
        assert said in str(caught.value), name
        assert "lines-8d8d" not in str(caught.value)
    assert database_settings(TelemetryChoices()) is None
    made = database_settings(TelemetryChoices(prometheus="http://[::1]:9090/prometheus"))
    assert made is not None
