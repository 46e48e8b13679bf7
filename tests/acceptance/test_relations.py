"""Who uses what: from a disk up to the hosts, and from a host down to the disks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.up import Up


@pytest.fixture(scope="module")
def storage_id(delphis: Up) -> str:
    storage = delphis.register(95)
    assert delphis.wait_synced(storage["id"])["sync_outcome"] == "ok"
    identity: str = storage["id"]
    return identity


def related(delphis: Up, identity: str, way: str, depth: int, **more: str) -> list[Any]:
    """All pages."""
    found: list[Any] = []
    token = ""
    while True:
        query = "&".join(f"{key}={value}" for key, value in more.items())
        path = f"/v1/resources/{identity}/related?direction={way}&depth={depth}&page_size=7&page_token={token}&{query}"
        page = delphis.get(path)
        found += page["related"]
        token = page.get("next_page_token", "")
        if not token:
            return found


def of(delphis: Up, storage_id: str, path: str) -> list[Any]:
    listed: list[Any] = next(iter(delphis.get(f"/v1/storages/{storage_id}/{path}").values()))
    return listed


def test_a_walk_up_and_a_walk_down_find_each_other(delphis: Up, storage_id: str) -> None:
    hosts = {host["id"] for host in of(delphis, storage_id, "storage-hosts")}
    met = 0
    for host in hosts:
        down = related(delphis, host, "down", 6)
        for one in down:
            if one["kind"] in ("volume", "disk", "masking_view") and met < 40:
                met += 1
                up = {found["id"] for found in related(delphis, one["id"], "up", 6)}
                assert host in up, (host, one)
    assert met > 10


def test_each_is_found_once_nearest_first_and_by_way_of_something_found_before(delphis: Up, storage_id: str) -> None:
    view = of(delphis, storage_id, "masking-views")[0]
    for way in ("down", "up"):
        found = related(delphis, view["id"], way, 6)
        keys = [(one["kind"], one["native_id"]) for one in found]
        assert len(keys) == len(set(keys))
        assert [one["depth"] for one in found] == sorted(one["depth"] for one in found)
        seen = {view["id"]}
        for one in found:
            assert one["via_id"] in seen
            seen.add(one["id"])
    both = related(delphis, view["id"], "both", 2)
    assert {one["direction"] for one in both} == {"down", "up"}


def test_one_kind_only(delphis: Up, storage_id: str) -> None:
    volume = of(delphis, storage_id, "volumes")[0]
    native = volume["native_storage_pool_id"]
    (pool,) = related(delphis, volume["id"], "down", 1, kind="storage_pool")
    assert pool["native_id"] == native
    volumes = related(delphis, pool["id"], "up", 1, kind="volume")
    listed = delphis.get(f"/v1/volumes?storage_id={storage_id}&native_storage_pool_id={native}")["volumes"]
    assert {volume["id"] for volume in volumes} == {volume["id"] for volume in listed}
    assert volumes


@pytest.mark.parametrize(
    ("identity", "query", "status", "code"),
    [
        ("11111111-1111-1111-1111-111111111111", "", 404, "NotFound"),
        ("nothing", "", 404, "NotFound"),
        ("", "depth=7", 400, "InvalidInput"),
        ("", "direction=sideways", 400, "InvalidInput"),
        ("", "kind=chair", 400, "InvalidInput"),
        ("", "page_token=AAAA", 400, "InvalidPageToken"),
    ],
)
def test_bad_questions(delphis: Up, storage_id: str, identity: str, query: str, status: int, code: str) -> None:
    start = identity or of(delphis, storage_id, "volumes")[0]["id"]
    reply = delphis.ask("GET", f"/v1/resources/{start}/related?{query}")
    assert (reply.status, reply.json["error_code"]) == (status, code), reply.text
