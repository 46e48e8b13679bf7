"""schemathesis calls a running Delphis by its own description."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from openapi_schema_validator import OAS31Validator
from schemathesis import GenerationMode

from tests.acceptance.test_tokens import bearer, make_token
from tests.openapi.fuzzing import Fuzzer
from tests.support.up import Up, up, wait_for


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """With an array that has one of everything, and measured it."""
    with up(tmp_path_factory.mktemp("openapi"), telemetry=True) as found:
        storage = found.register(volumes="20", perf_interval_s="60")
        found.wait_synced(storage["id"])
        sink = {"name": "nobody", "remote_write": {"url": "http://127.0.0.1:1/"}, "paused": True}
        wait_for("telemetry", lambda: found.ask("POST", "/v1/metric-sinks", sink).status == 201, 60)
        asked = {"kind": "volume", "metrics": ["iops"]}
        wait_for("points", lambda: found.ask("POST", "/v1/metrics:query", asked).json.get("series"), 60)
        yield found


@pytest.mark.timeout(300)
def test_answers_conform(running: Up) -> None:
    fuzzer = Fuzzer(running, seed=3)
    problems = fuzzer.run(examples=2)
    assert not problems, "\n\n".join(problems)
    assert fuzzer.calls >= 2 * len(fuzzer.operations())
    assert fuzzer.statuses[200] > len(fuzzer.operations()) / 2


def test_each_field_that_is_offered_filters(running: Up) -> None:
    """The value that an item has finds the item."""
    running.wait_synced(running.register(9)["id"])
    document = running.get("/v1/openapi.json")
    asked = 0
    for path, item in document["paths"].items():
        if "{" in path or not item.get("get", {}).get("operationId", "").startswith("List"):
            continue
        offered = [
            one["name"] for one in item["get"]["parameters"] if "Only items in which" in one.get("description", "")
        ]
        answer = item["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        [key] = document["components"]["schemas"][answer]["required"]
        listed = running.get(f"{path}?limit=1")[key] if offered else []
        for name in offered if listed else ():
            value = listed[0].get(name)
            if value is None:
                continue
            text = str(value).lower() if isinstance(value, bool) else str(value)
            found = running.get(f"{path}?{urlencode({name: text})}")[key]
            assert listed[0] in found, (path, name, text)
            assert {one[name] for one in found} == {value}
            asked += 1
    assert asked > 100


def test_watches_conform(running: Up) -> None:
    """A stream has no end, so schemathesis can't read it: here its first records are."""
    document = running.get("/v1/openapi.json")
    answer = document["paths"]["/v1/changes:watch"]["get"]["responses"]["200"]["content"]["application/x-ndjson"]
    conforms = OAS31Validator({**answer["schema"], "components": document["components"]})
    connection = http.client.HTTPConnection(running.rest.removeprefix("http://"), timeout=60)
    try:
        connection.request("GET", "/v1/changes:watch?resume_token=start")
        response = connection.getresponse()
        assert (response.status, response.headers["content-type"]) == (200, "application/x-ndjson")
        changes = 0
        while not changes:
            if line := response.readline().strip():  # an empty one is a sign of life
                record = json.loads(line)
                conforms.validate(record)
                changes = len(record["changes"])
        response.close()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Up, str]]:
    """With tokens, and one that may everything."""
    folder = tmp_path_factory.mktemp("guarded")
    token = make_token(folder, "fuzz", "admin")
    with up(folder, "--auth", "token") as found:
        yield found, token


@pytest.mark.slow
def test_refusals_of_tokens_conform(guarded: tuple[Up, str]) -> None:
    up_, token = guarded
    unknown = Fuzzer(up_, seed=3, headers=bearer("nonsense"))
    problems = unknown.run(examples=1)
    assert not problems, "\n\n".join(problems)
    public = len([one for one in unknown.operations() if one.definition.raw["security"] == []])
    assert unknown.statuses[401] > len(unknown.operations()) - public - 20
    known = Fuzzer(up_, seed=3, headers=bearer(token))
    problems = known.run(examples=1, only=("GetCaller", "ListStorages", "CreateToken"))
    assert not problems, "\n\n".join(problems)
    assert 401 not in known.statuses


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_answers_conform_at_length(running: Up) -> None:
    fuzzer = Fuzzer(running, seed=3)
    problems = fuzzer.run(examples=20, modes=(GenerationMode.POSITIVE, GenerationMode.NEGATIVE))
    assert not problems, "\n\n".join(problems)
