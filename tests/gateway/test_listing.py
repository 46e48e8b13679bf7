"""SODA Delfin's list parameters reach the service as the contract's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway.support import Running

FILTER = "filter"


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("limit=10", {"page_size": 10}),
        ("limit=1000", {"page_size": 1000}),
        ("limit=1001", {"page_size": 1000}),
        ("limit=99999999999999999999", {"page_size": 1000}),
        ("offset=0", {"skip": 0}),
        ("offset=2147483647", {"skip": 2147483647}),
        ("limit=5&offset=7", {"page_size": 5, "skip": 7}),
        ("marker=849e0e90", {"page_token": "after:849e0e90"}),
        ("sort=name", {"order_by": "name desc"}),
        ("sort=name:asc", {"order_by": "name"}),
        ("sort=name:asc,total_capacity:desc,id", {"order_by": "name,total_capacity desc,id desc"}),
        ("sort=name:asc,%20status", {"order_by": "name,status desc"}),
        ("sort_key=name", {"order_by": "name desc"}),
        ("sort_key=name&sort_dir=asc", {"order_by": "name"}),
        ("sort_dir=asc", {"order_by": "created_at"}),
        ("name=x", {FILTER: 'name = "x"'}),
        ("name=", {FILTER: 'name = ""'}),
        ("name=x&status=normal", {FILTER: 'name = "x" AND status = "normal"'}),
        ("name=a%22b%5Cc", {FILTER: r'name = "a\"b\\c"'}),
        ("name=k%C3%B6ln+1", {FILTER: 'name = "köln 1"'}),
        ("labels.site=a", {FILTER: 'labels.site = "a"'}),
        ("labels.a-b/c=x", {FILTER: 'labels.a-b/c = "x"'}),
        ("storage.labels.site=*", {FILTER: r'storage.labels.site = "\*"'}),
        ("include_total=true", {"include_total": True}),
        ("storage_id=s1", {"storage_id": "s1", FILTER: ""}),
        ("page_size=7&page_token=t&order_by=name&skip=3", {"page_size": 7, "page_token": "t", "order_by": "name"}),
        ("page_size=0", {"page_size": 0}),
        ("filter=name+%3D+%22x%22", {FILTER: 'name = "x"'}),
        ("filter=a+%3D+1+OR+b+%3D+2&name=x", {FILTER: 'name = "x" AND a = 1 OR b = 2'}),
        ("filter=&name=x", {FILTER: 'name = "x"'}),
        ("", {"page_size": 0, FILTER: ""}),
        ("&&", {"page_size": 0, FILTER: ""}),
    ],
)
def test_translated(rest: Running, query: str, fields: dict[str, Any]) -> None:
    reply = rest.client.get(f"/v1/volumes?{query}")
    assert reply.status == 200, reply
    request = rest.stub.last[1]
    assert {name: getattr(request, name) for name in fields} == fields


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=1.5", "limit"),
        ("limit=", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=1&limit=2", "limit"),
        ("offset=-1", "offset"),
        ("offset=2147483648", "offset"),
        ("offset=x", "offset"),
        ("marker=", "marker"),
        ("marker=a&page_token=b", "marker"),
        ("limit=1&page_size=1", "limit"),
        ("offset=1&skip=1", "offset"),
        ("sort=name:up", "sort"),
        ("sort=", "sort"),
        ("sort=name,,id", "sort"),
        ("sort=na me", "sort"),
        ("sort=name%3Basc", "sort"),
        ("sort=name&sort_key=id", "sort"),
        ("sort=name&order_by=id", "sort"),
        ("sort_key=a%20b", "sort_key"),
        ("sort_dir=ASC", "sort_dir"),
        ("name=a&name=b", "name"),
        ("page_size=x", "page_size"),
        ("page_size=99999999999", "page_size"),
        ("skip=1&skip=2", "skip"),
        ("na%20me=x", "na me"),
        ("%00=x", "\0"),
        ("a~=x", "a~"),
        ("=x", ""),
        ("labels.a%22=x", 'labels.a"'),
        ("labels.=x", "labels."),
        ("name=%00", "name"),
    ],
)
def test_refused(local: Running, query: str, named: str) -> None:
    reply = local.client.get("/v1/volumes?" + query.replace(" ", "%20"))
    assert (reply.status, reply.json["error_code"]) == (400, "InvalidInput"), reply
    assert reply.json["error_args"] == [named]
    assert reply.json["error_msg"].startswith(f"Invalid input for field/attribute {named}.")
    assert not local.stub.calls


def test_path_wins_by_refusing(rest: Running) -> None:
    reply = rest.client.get("/v1/storages/s1/volumes?storage_id=s2")
    assert (reply.status, reply.json["error_args"]) == (400, ["storage_id"])
    assert not rest.stub.calls


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("/v1/storages/s?limit=1", "limit"),
        ("/v1/storages/s?name=x", "name"),
        ("/v1/storages/s?storage_id=t", "storage_id"),
        ("/v1/tokens?limit=1", "limit"),
        ("/v1/audit-entries?offset=1", "offset"),
        ("/v1/audit-entries?sort=at", "sort"),
        ("/v1/changes?name=x", "name"),
    ],
)
def test_parameter_that_the_method_lacks(local: Running, path: str, named: str) -> None:
    reply = local.client.get(path)
    assert (reply.status, reply.json["error_code"], reply.json["error_args"]) == (400, "InvalidInput", [named])
    assert not local.stub.calls


def test_own_parameters(rest: Running) -> None:
    assert rest.client.get("/v1/resources/r/related?direction=DOWN&depth=2&kind=disk&limit=3").status == 200
    request = rest.stub.last[1]
    assert (request.direction, request.depth, request.kind, request.page_size) == (3, 2, "disk", 3)
    bad = rest.client.get("/v1/resources/r/related?direction=sideways")
    assert (bad.status, bad.json["error_args"]) == (400, ["direction"])
    assert "both, down, up" in bad.json["error_msg"]


def test_query_that_is_no_text(local: Running) -> None:
    for query in ("name=%ff", "%ff=1", "&".join(f"a{number}=1" for number in range(300))):
        reply = local.client.get(f"/v1/volumes?{query}")
        assert (reply.status, reply.json["error_code"]) == (400, "BadRequest"), query
