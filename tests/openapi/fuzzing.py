"""Requests that schemathesis makes of the document, and what answers to them must be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import hypothesis
import schemathesis
from hypothesis import strategies
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks as openapi_checks

from tests.support.up import Up, fake_array

PROMISED = frozenset({501, 502, 503, 504})
"""The server errors that calls may end with: the array's, the driver's, or a deadline."""
CHECKS = (
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_headers_conformance,
    openapi_checks.response_schema_conformance,
)
_LAST = ("delete", "post", "put", "patch")  # what changes things comes after what looks at them
_KEPT = frozenset({"limit", "offset", "include_total", "direction", "depth"})
"""Of the parameters of a query; random values of others, or several at once, are refused or find nothing."""
_GOOD_BODIES: dict[str, dict[str, Any]] = {
    "QueryMetrics": {"kind": "volume", "metrics": ["iops", "responseTime"], "group_by": "storage"},
    "CreateSink": {"name": "somebody", "remote_write": {"url": "http://127.0.0.1:1/"}, "paused": True},
}
"""Made up ones are hardly ever taken."""
_NONE_OF_THE_CHECKS: Any = list(hypothesis.HealthCheck)  # how long a call takes is the machine's affair


class Undocumented(AssertionError):
    """An answer that the document doesn't have."""


class Fuzzer:
    """Calls every operation of a running Delphis."""

    def __init__(self, up: Up, *, seed: int, headers: dict[str, str] | None = None) -> None:
        self._up = up
        self._seed = seed
        self._headers = headers or {}
        self.document: dict[str, Any] = up.get("/v1/openapi.json")
        self._schema = schemathesis.openapi.from_dict(self.document)
        self._schema.config.update(base_url=up.rest)
        self.calls = 0
        self.statuses: dict[int, int] = {}

    def operations(self) -> list[Any]:
        """All of them, those that take something away last. Streams have no end, so they are left out."""
        results: Any = self._schema.get_all_operations()
        found = [result.ok() for result in results]
        unary = [one for one in found if "application/x-ndjson" not in str(one.definition.raw["responses"].get("200"))]
        return sorted(unary, key=lambda one: (_LAST[::-1].index(one.method) if one.method in _LAST else -1, one.path))

    def run(
        self,
        examples: int,
        *,
        modes: tuple[Any, ...] = (schemathesis.GenerationMode.POSITIVE,),
        only: tuple[str, ...] = (),
    ) -> list[str]:
        """So many requests for each operation and mode; what was wrong, one text for each operation and mode."""
        problems: list[str] = []
        for operation in self.operations():
            if only and operation.definition.raw["operationId"] not in only:
                continue
            for mode in modes:
                try:
                    self._try(operation, mode, examples)
                except (Undocumented, FailureGroup) as problem:
                    problems.append(f"{operation.label}: {problem}")
        return problems

    def _try(self, operation: Any, mode: Any, examples: int) -> None:
        known = _Known(self._up, operation, self._headers)

        @hypothesis.seed(self._seed)
        @hypothesis.settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=(hypothesis.Phase.generate,),
            suppress_health_check=_NONE_OF_THE_CHECKS,
        )
        @hypothesis.given(
            case=operation.as_strategy(generation_mode=mode),
            existing=strategies.booleans(),
            timed=strategies.booleans(),
        )
        def attempt(case: Any, existing: bool, timed: bool) -> None:
            if existing:
                known.put_into(case)
            if not timed and case.headers:
                case.headers.pop("Request-Timeout", None)
            self._call(operation, case)

        attempt()

    def _call(self, operation: Any, case: Any) -> None:
        response = case.call(headers=self._headers, timeout=60)
        self.calls += 1
        self.statuses[response.status_code] = self.statuses.get(response.status_code, 0) + 1
        case.validate_response(response, checks=list(CHECKS))
        problem = _undocumented(operation.definition.raw, self.document, response)
        if problem:
            raise Undocumented(f"{problem}\n{case.as_curl_command()}\n{response.status_code} {response.text[:2000]}")


def _undocumented(operation: dict[str, Any], document: dict[str, Any], response: Any) -> str:
    """What is wrong with a failed answer; empty: nothing."""
    status = response.status_code
    if status < 400:
        return ""
    if status >= 500 and status not in PROMISED:
        return f"{operation['operationId']} failed with {status}"
    documented = operation["responses"][str(status)]
    if "$ref" in documented:
        documented = document["components"]["responses"][documented["$ref"].rpartition("/")[2]]
    details = response.json()["details"]
    reasons = [detail["reason"] for detail in details if detail["@type"].endswith("/google.rpc.ErrorInfo")]
    if not set(reasons) <= set(documented["x-reasons"]):
        return f"{operation['operationId']} answers {reasons} with {status}; documented are {documented['x-reasons']}"
    return ""


class _Known:
    """Ids of what there is, put in the place of those that were made up: else all calls end with 404."""

    def __init__(self, up: Up, operation: Any, headers: dict[str, str]) -> None:
        self._operation_id = operation.definition.raw["operationId"]
        self._values: dict[str, str] = {}
        for name in re.findall(r"\{(\w+)\}", operation.path):
            found = next(_existing(up, operation.path, name, headers), None)
            if found is not None:
                self._values[name] = found

    def put_into(self, case: Any) -> None:
        for name, value in self._values.items():
            case.path_parameters[name] = value
        for name in [name for name in case.query or {} if name not in _KEPT]:
            del case.query[name]
        if self._operation_id == "RegisterStorage" and isinstance(case.body, dict):
            for block in ("ssh", "cli", "smis", "validate_only"):
                case.body.pop(block, None)
            case.body.update({**fake_array(443, host="127.0.0.78", volumes="3"), "validate_only": True})
        elif self._operation_id in _GOOD_BODIES and isinstance(case.body, dict):
            case.body = dict(_GOOD_BODIES[self._operation_id])


def _existing(up: Up, path: str, name: str, headers: dict[str, str]) -> Iterator[str]:
    collection = path.split("/{")[0]
    source = {"storage_id": "/v1/storages", "/v1/resources": "/v1/volumes"}.get(
        name if name == "storage_id" else collection, collection
    )
    reply = up.ask("GET", source, headers=headers)
    for items in reply.json.values() if reply.status == 200 else ():
        for item in items if isinstance(items, list) else ():
            value = item.get(name) or item.get("id")
            if value:
                yield value
