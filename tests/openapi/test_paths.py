"""Paths and names of operations, where `google.api.http` says more than OpenAPI can."""

from __future__ import annotations

from typing import Any, cast

import pytest

from gateway.bindings import Binding
from gateway.openapi import paths, prose
from gateway.openapi.document import as_known
from gateway.template import parse
from tests.gateway.support import SERVICES

METHODS: dict[str, Any] = {method.name: method for service in SERVICES for method in service.methods}


@pytest.mark.parametrize(
    ("template", "path", "fields"),
    [
        ("/v1/volumes", "/v1/volumes", {}),
        ("/v1/volumes/{id}", "/v1/volumes/{id}", {"id": "id"}),
        ("/v1/jobs/{job_id}:cancel", "/v1/jobs/{job_id}:cancel", {"job_id": "job_id"}),
        ("/{book.name=shelves/*}", "/shelves/{book.name}", {"book.name": "book.name"}),
        ("/{name=shelves/*/books/*}", "/shelves/{name_1}/books/{name_2}", {"name_1": "name", "name_2": "name"}),
        ("/files/{path=**}", "/files/{path}", {"path": "path"}),
        ("/any/*/{id}/*", "/any/{segment_1}/{id}/{segment_2}", {"segment_1": "", "id": "id", "segment_2": ""}),
    ],
)
def test_split(template: str, path: str, fields: dict[str, str]) -> None:
    assert paths.split(parse(template)) == (path, fields)


def test_paths_that_differ_in_names_are_one() -> None:
    shapes: dict[str, str] = {}
    assert as_known("/a/{id}/b/{x}", {"id": "id", "x": "x"}, shapes) == ("/a/{id}/b/{x}", {"id": "id", "x": "x"})
    found = as_known("/a/{name}/b/{y}", {"name": "name", "y": "y"}, shapes)
    assert found == ("/a/{id}/b/{x}", {"id": "name", "x": "y"})
    assert as_known("/a/{name}", {"name": "name"}, shapes) == ("/a/{name}", {"name": "name"})


def test_names_of_operations() -> None:
    def binding(method: str, path: str) -> Binding:
        return Binding(METHODS[method], "GET", parse(path), "", "")

    ids = paths.OperationIds()
    taken = [
        ids.take(binding("ListVolumes", "/v1/volumes")),
        ids.take(binding("ListVolumes", "/v1/storages/{storage_id}/volumes")),
        ids.take(binding("ListVolumes", "/v1/luns")),
        ids.take(binding("ListVolumes", "/v1/units")),
    ]
    assert taken == ["ListVolumes", "ListVolumesByStorageId", "ListVolumes2", "ListVolumes3"]


@pytest.mark.parametrize(("method", "key"), [("GET", "get"), ("PATCH", "patch"), ("PURGE", "x-purge"), ("*", "x-any")])
def test_http_methods(method: str, key: str) -> None:
    assert paths.key(method) == key


def test_prose() -> None:
    comment = """Does it: now. Then
more.

And more:
- one
- two

| condition | code | reason | what the caller does |
|---|---|---|---|
| none | NOT_FOUND | JOB_NOT_FOUND (router only) | lists |
| busy | UNAVAILABLE | ARRAY_BUSY, with RetryInfo | waits |
| stale | ABORTED | OWNER_EPOCH_STALE (host only) | the router finds the owner |
| the array fails | as in StorageDriver | as in StorageDriver | as there |"""
    read = prose.read(comment)
    assert read.summary == "Does it: now"
    assert read.text == "Does it: now. Then more.\n\nAnd more:\n- one\n- two"
    assert read.failures == (("none", "JOB_NOT_FOUND", "lists"), ("busy", "ARRAY_BUSY", "waits"))
    assert read.elsewhere == ("StorageDriver",)
    assert cast("tuple[Any, ...]", prose.read("")) == ("", "", (), ())
