"""The parameters that all lists have, and the filters of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from tests.catalogue.models import MODELS, Model
from tests.catalogue.rows import Row
from tests.catalogue.world import MANY, World
from tests.support.up import Reply

BAD = (400, "InvalidInput")
VOLUMES = "GET /v1/volumes?storage_id={a}"
LARGE = "GET /v1/volumes?storage_id={large}"


def _rank(key: str) -> Callable[[dict[str, Any]], tuple[bool, Any]]:
    return lambda item: (item[key] is not None, "" if item[key] is None else item[key])


def _sorted(*keys: tuple[str, bool]) -> Any:
    """The items lie in this order: (field, descending), most significant first. Unset comes before any value."""

    def check(_: World, reply: Reply) -> None:
        (items,) = [value for value in reply.json.values() if isinstance(value, list)]
        wanted = list(items)
        for key, descending in reversed(keys):
            wanted.sort(key=_rank(key), reverse=descending)
        assert len(items) > 1
        assert [item["id"] for item in items] == [item["id"] for item in wanted]

    return check


def _pages_by_marker(world: World, _: Reply) -> None:
    """Pages of seven, each after the last id of the one before, make the whole list."""
    whole = [item["id"] for item in world.items("/v1/volumes?storage_id={a}&sort=status:asc,name:desc")]
    found: list[str] = []
    while True:
        after = f"&marker={found[-1]}" if found else ""
        page = world.items(f"/v1/volumes?storage_id={{a}}&sort=status:asc,name:desc&limit=7{after}")
        found += [item["id"] for item in page]
        if len(page) < 7:
            break
    assert found == whole


def _pages_by_token(world: World, _: Reply) -> None:
    found: list[str] = []
    token = ""
    while True:
        page = world.get("/v1/volumes?storage_id={large}&limit=500" + token)
        found += [item["id"] for item in page["volumes"]]
        if "next_page_token" not in page:
            break
        token = f"&page_token={page['next_page_token']}"
    assert len(set(found)) == len(found) == MANY


def _has_more(_: World, reply: Reply) -> None:
    assert reply.json["next_page_token"]


def _has_no_more(_: World, reply: Reply) -> None:
    assert "next_page_token" not in reply.json


def _skipped(world: World, reply: Reply) -> None:
    whole = [item["id"] for item in world.items("/v1/volumes?storage_id={a}")]
    assert [item["id"] for item in reply.json["volumes"]] == whole[3:7]


PAGING = [
    Row("default-limit", LARGE, key="volumes", count=1000, check=_has_more),
    Row("limit", VOLUMES + "&limit=2", key="volumes", count=2, check=_has_more),
    Row("limit-clamped", LARGE + "&limit=1050", key="volumes", count=1000, check=_has_more),
    Row("limit-beyond-64-bits", LARGE + "&limit=99999999999999999999", key="volumes", count=1000),
    Row("limit-0", VOLUMES + "&limit=0", key="volumes", count=0, check=_has_no_more),
    Row("limit-negative", VOLUMES + "&limit=-1", *BAD, said="limit"),
    Row("limit-no-number", VOLUMES + "&limit=ten", *BAD, said="limit"),
    Row("limit-fraction", VOLUMES + "&limit=1.5", *BAD, said="limit"),
    Row("limit-empty", VOLUMES + "&limit=", *BAD, said="limit"),
    Row("limit-twice", VOLUMES + "&limit=1&limit=2", *BAD, said="limit"),
    Row("offset", VOLUMES + "&limit=4&offset=3", key="volumes", count=4, check=_skipped),
    Row("offset-alone", LARGE + f"&offset={MANY - 3}", key="volumes", count=3),
    Row("offset-beyond-the-end", VOLUMES + "&offset=100000", key="volumes", count=0),
    Row("offset-greatest", VOLUMES + f"&offset={0x7FFFFFFF}", key="volumes", count=0),
    Row("offset-too-great", VOLUMES + f"&offset={0x80000000}", *BAD, said="offset"),
    Row("offset-negative", VOLUMES + "&offset=-1", *BAD, said="offset"),
    Row("offset-no-number", VOLUMES + "&offset=x", *BAD, said="offset"),
    Row("marker", VOLUMES + "&limit=1", key="volumes", check=_pages_by_marker),
    Row("marker-of-nobody", VOLUMES + "&marker={nobody}", 404, "VolumeNotFound", said="1111"),
    Row("marker-of-another-kind", VOLUMES + "&marker={a}", 404, "VolumeNotFound"),
    Row("marker-no-id", VOLUMES + "&marker=x", 404, "VolumeNotFound"),
    Row("marker-empty", VOLUMES + "&marker=", *BAD, said="marker"),
    Row("marker-of-storages", "GET /v1/storages?marker={nobody}", 404, "StorageNotFound"),
    Row("page-token", LARGE + "&limit=1", key="volumes", check=_pages_by_token),
    Row("page-token-of-nobody", VOLUMES + "&page_token=x", 400, "InvalidPageToken"),
    Row("marker-and-page-token", VOLUMES + "&marker={a}&page_token=x", *BAD),
    Row("parameter-storage-of-nobody", "GET /v1/volumes?storage_id={nobody}", 404, "StorageNotFound", said="1111"),
    Row("quota-of-no-such-type", "GET /v1/quotas?type=filesystem", *BAD, said="type"),
    Row("no-such-parameter", VOLUMES + "&colour=red", *BAD, said="colour"),
    Row("no-such-parameter-like", VOLUMES + "&name~=v", *BAD, said="name~"),
    Row("no-count", VOLUMES + "&with_count=true", *BAD, said="with_count"),
]

SORTING = [
    Row("default", VOLUMES, key="volumes", check=_sorted(("created_at", True))),
    Row("sort-asc", VOLUMES + "&sort=native_volume_id:asc", check=_sorted(("native_volume_id", False))),
    Row("sort-desc", VOLUMES + "&sort=native_volume_id:desc", check=_sorted(("native_volume_id", True))),
    Row("sort-is-desc", VOLUMES + "&sort=native_volume_id", check=_sorted(("native_volume_id", True))),
    Row(
        "sort-by-two",
        VOLUMES + "&sort=wwn:asc,native_volume_id:desc",
        check=_sorted(("wwn", False), ("native_volume_id", True)),
    ),
    Row(
        "sort-ties-by-age-as-the-first-key",
        VOLUMES + "&sort=name:asc",
        check=_sorted(("name", False), ("created_at", False)),
    ),
    Row("sort-created-at", VOLUMES + "&sort=created_at:asc", check=_sorted(("created_at", False))),
    Row("sort-spaces", VOLUMES + "&sort=name:asc,%20native_volume_id:asc", check=_sorted(("name", False))),
    Row("sort-key", VOLUMES + "&sort_key=native_volume_id", check=_sorted(("native_volume_id", True))),
    Row(
        "sort-key-and-dir",
        VOLUMES + "&sort_key=native_volume_id&sort_dir=asc",
        check=_sorted(("native_volume_id", False)),
    ),
    Row("sort-dir-alone", VOLUMES + "&sort_dir=asc", check=_sorted(("created_at", False))),
    Row("sort-by-a-flag", VOLUMES + "&sort=compressed:asc&limit=1", *BAD, said="compressed"),
    Row("sort-unknown-key", VOLUMES + "&sort=colour:asc", *BAD, said="colour"),
    Row("sort-key-unknown", VOLUMES + "&sort_key=colour", *BAD, said="colour"),
    Row("sort-unknown-direction", VOLUMES + "&sort=name:up", *BAD, said="asc or desc"),
    Row("sort-dir-unknown", VOLUMES + "&sort_key=name&sort_dir=up", *BAD, said="asc or desc"),
    Row("sort-empty", VOLUMES + "&sort=", *BAD, said="sort"),
    Row("sort-and-sort-key", VOLUMES + "&sort=name&sort_key=name", *BAD, said="sort"),
    Row("sort-storages-by-capacity-yet", "GET /v1/storages?sort=total_capacity:asc", *BAD, said="total_capacity"),
    Row("sort-storages", "GET /v1/storages?sort=serial_number:asc", check=_sorted(("serial_number", False))),
]


def sorts() -> Iterator[Row]:
    """Every field that a list is ordered by, both ways; and those that it isn't, refused by name."""
    for model in MODELS:
        path = f"GET /v1/storages/{{a}}/{model.path}"
        for name in sorted(model.sorts):
            for direction in ("asc", "desc"):
                check = _sorted((name, direction == "desc"))
                yield Row(f"{model.key}-{name}-{direction}", f"{path}?sort={name}:{direction}", check=check)
        for name in model.sizes:
            for direction in ("asc", "desc"):
                ask = f"GET /v1/storages/{{large}}/{model.path}?sort={name}:{direction}"
                yield Row(f"{model.key}-{name}-{direction}", ask, check=_sorted((name, direction == "desc")))
        for name in sorted(model.unsorted):
            yield Row(f"{model.key}-not-by-{name}-yet", f"{path}?sort={name}:asc", *BAD, said=name)


def _value(items: list[dict[str, Any]], field: str) -> Any:
    """A value that some of the items have, and not all: that of the fewest."""
    counts = Counter(item[field] for item in items if item[field] is not None)
    return min(counts, key=lambda value: (counts[value], str(value)))


def _equal(model: Model, parameter: str, field: str) -> Row:
    """The filter gives just the items of all arrays that have the value."""
    path = model.paths[0]

    def check(world: World, _: Reply) -> None:
        everything = world.all(path)
        value = _value(everything, field)
        wanted = [item["id"] for item in everything if item[field] == value]
        found = [item["id"] for item in world.all(f"{path}?{parameter}={value}".replace(" ", "%20"))]
        assert found == wanted, (parameter, value)
        assert len(wanted) < len(everything)

    return Row(f"{model.key}-by-{parameter}", f"GET {path}?limit=1", key=model.key, check=check)


def filters() -> Iterator[Row]:
    """Every filter of every list."""
    for model in MODELS:
        path = model.paths[0]
        for name in model.filters:
            yield _equal(model, name, name)
        for name, meant in model.revived.items():
            yield _equal(model, name, meant)
        for name in model.refused:
            yield Row(f"{model.key}-not-by-{name}", f"GET {path}?{name}=x", *BAD, said=name)
        for name in model.ignored:
            yield _equal(model, name, name)
        yield Row(f"{model.key}-by-id-of-nobody", f"GET {path}?id={{nobody}}", key=model.key, count=0)
        yield Row(f"{model.key}-not-by-colour", f"GET {path}?colour=red", *BAD, said="colour")


def enums() -> Iterator[Row]:
    """Every text of every enum, in answers and as a filter."""
    for model in MODELS:
        for name, texts in model.enums.items():
            yield _texts(model, name, texts)


def _texts(model: Model, name: str, texts: tuple[str, ...]) -> Row:
    path = f"/v1/storages/{{a}}/{model.path}"

    def check(world: World, _: Reply) -> None:
        by_id = {item[model.native]: item[name] for item in world.items(path)}
        of_enum = {native: text for native, text in by_id.items() if native.startswith(f"{name}:")}
        assert set(of_enum.values()) == set(texts)
        assert of_enum[f"{name}:99"] == "unknown"
        refused = world.ask("GET", f"{path}?{name}=purple")
        assert (refused.status, refused.json["error_code"]) == BAD
        if name == "worm":
            return  # no list can be filtered by it, neither there nor here
        for text in texts:
            found = world.items(f"{path}?{name}={text.upper()}".replace(" ", "%20"))
            assert {item[name] for item in found} == {text}

    return Row(f"{model.key}-texts-of-{name}", f"GET {path}?limit=1", key=model.key, check=check)


TABLE = [*PAGING, *SORTING, *sorts(), *filters(), *enums()]
