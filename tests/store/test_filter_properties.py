"""Random filters, orders and page tokens: what SQL finds is what a look at each message finds; nothing crashes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import bindparam, insert, update

from delphis.cli import names
from delphis.inventory.v1 import resource_pb2
from delphis.type.v1 import block_pb2
from gateway.listing import _comparison as rest_comparison
from services.calls.errors import CallError
from services.inventory.jobs.listing import JOBS
from services.inventory.kinds import KINDS
from services.inventory.resources import reading
from services.inventory.resources.lists import list_of
from services.inventory.resources.reading import page_of
from services.inventory.schema.storages import storage_labels, storages
from services.inventory.storages.listing import STORAGES
from services.listing.filter import Comparison, parse_filter
from services.listing.order import parse_order
from services.listing.page import ListRequest, UnknownMarker, listing
from services.listing.spec import ListSpec
from services.store.connection import Connection
from services.store.engine import Store
from services.store.statement import statement
from services.values import uuids
from tests.store.resources import array_of
from tests.sync.arrays import number_of

VOLUME = KINDS["volume"]
QUICK = settings(max_examples=80, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
TEXTS = [
    "",
    "a",
    "ab",
    "b",
    "a*b",
    "A",
    "ä",
    "[a]",
    "a?b",
    "%_",
    'q"q',
    "b\\",
    "\ud7ff",
    "𝔘",
    "\U0010ffff",
    "NOT",
    "-1",
]
STATUSES = {
    "normal": block_pb2.VOLUME_STATUS_NORMAL,
    "error": block_pb2.VOLUME_STATUS_ERROR,
    "degraded": block_pb2.VOLUME_STATUS_DEGRADED,
    "": block_pb2.VOLUME_STATUS_UNSPECIFIED,
}
WORDS = ["=", "!=", "<", "<=", ">", ">=", ":", "(", ")", "AND", "OR", "NOT", "-", '"', "'", "\\", "*", ".", ",", " "]
NAMES = ["name", "status", "created_at", "id", "labels", "labels.env", "storage.labels.env", "x", "attempt", "missing"]
VALUES = [
    "normal",
    "prod",
    "2026-11-22T10:00:00Z",
    "9" * 30,
    "true",
    "\0",
    "\\u0041",
    "\\ud800",
    '"a b"',
    "é",
    "0001-01-01",
]
SPECS = [STORAGES, JOBS, list_of("volume", "all"), list_of("storage_host", "one")]

_SET = statement(
    update(storages).where(storages.c.no == bindparam("which")).values(name=bindparam("new"), vendor=bindparam("maker"))
)
_LABEL = statement(insert(storage_labels).inline())
Test = Callable[[Any], bool]


# -- whatever is sent ---------------------------------------------------------------------------------------------


def pieces() -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from([*WORDS, *NAMES, *VALUES]) | st.text(max_size=4), max_size=20).map(" ".join)


def refused(work: Callable[[], object]) -> CallError | None:
    """The refusal; anything else that is raised is a fault."""
    try:
        work()
    except CallError as error:
        found = error
    else:
        return None
    assert found.reason == "INVALID_INPUT"
    assert len(found.message) < 1500
    return found


@QUICK
@given(pieces() | st.text(max_size=200), st.sampled_from(SPECS))
@example("(" * 9000, STORAGES)
@example("(" * 17 + "name=x" + ")" * 17, STORAGES)
@example("NOT " * 100 + "name=x", STORAGES)
@example("-" * 8000 + "name=x", STORAGES)
@example("name=" + "*" * 100, STORAGES)
@example("name" + "." * 5000, STORAGES)
@example("a.b.c.d = 1", STORAGES)
@example("'" * 8000, STORAGES)
@example("\\" * 8000, STORAGES)
@example('name="' + "\\\\" * 4000, STORAGES)
@example("created_at = 9999-12-31T23:59:59-23:59", list_of("volume", "all"))
@example("attempt > 9223372036854775808", JOBS)
def test_any_filter_is_taken_or_refused(text: str, spec: ListSpec) -> None:
    error = refused(lambda: listing(spec, ListRequest(filter=text)))
    if error is None:
        parse_filter(text)


@QUICK
@given(st.lists(st.sampled_from([*NAMES, "asc", "desc", ",", " ", "DESC", "."]) | st.text(max_size=3)).map(" ".join))
def test_any_order_is_taken_or_refused(text: str) -> None:
    refused(lambda: parse_order(text))
    for spec in SPECS:
        refused(lambda spec=spec: listing(spec, ListRequest(order_by=text)))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "place", "wanted"),
    [
        ("name", 5, "= != < <= > >= : after name"),
        ("name =", 7, "a value for name"),
        ("name = a name = b", 10, "AND, OR or the end"),
        ("name = a AND", 13, "the name of a field"),
        ("(name = a", 10, "AND, OR or )"),
        ("name = a)", 9, "AND, OR or the end"),
        ("name ~ a", 6, "= != < <= > >= : after name"),
        ("labels. = a", 8, "a key after the dot"),
        ("name = AND", 8, "a value for name"),
        ('name = "a', 8, "a value for name"),
    ],
)
def test_a_refusal_names_the_place(text: str, place: int, wanted: str) -> None:
    error = refused(lambda: parse_filter(text))
    assert error is not None
    assert f"At character {place} " in error.message
    assert wanted in error.message


# -- the same as a look at each message ---------------------------------------------------------------------------


def quoted(text: str, *, wild: bool = False) -> str:
    special = r'["\\]' if wild else r'["\\*]'
    return '"' + re.sub(special, r"\\\g<0>", text) + '"'


def like(pattern: str, value: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value, re.DOTALL) is not None


ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "=": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
}


def text_terms(name: str, get: Callable[[Any], str]) -> st.SearchStrategy[tuple[str, Test]]:
    texts = st.sampled_from(TEXTS)

    def ordered(operator: str, text: str) -> tuple[str, Test]:
        # Surrogate pairs aside, code points have the order of UTF-8's bytes.
        return f"{name} {operator} {quoted(text)}", lambda item: ORDERED[operator](get(item), text)

    def pattern(parts: list[str], operator: str) -> tuple[str, Test]:
        kept = [part.replace("*", "") for part in parts]
        text = "*".join(kept)
        wanted = f"*{text}*" if operator == ":" else text
        if operator == ":" and text == "*":
            return f"{name}:*", lambda item: get(item) != ""
        return f"{name} {operator} {quoted(text, wild=True)}", lambda item: like(wanted, get(item))

    return st.builds(ordered, st.sampled_from([*ORDERED]), texts) | st.builds(
        pattern, st.lists(texts, min_size=1, max_size=3), st.sampled_from(["=", ":"])
    )


def time_terms(name: str, get: Callable[[Any], int], times: list[int]) -> st.SearchStrategy[tuple[str, Test]]:
    def build(operator: str, at: int) -> tuple[str, Test]:
        shown = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).isoformat()
        return f"{name} {operator} {quoted(shown)}", lambda item: ORDERED[operator](get(item), at)

    return st.builds(build, st.sampled_from([*ORDERED]), st.sampled_from(times))


SIZES = [0, 1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63) + 1]


def number_terms(name: str, get: Callable[[Any], int]) -> st.SearchStrategy[tuple[str, Test]]:
    def build(operator: str, number: int) -> tuple[str, Test]:
        return f"{name}{operator}{number}", lambda item: ORDERED[operator](get(item), number)

    return st.builds(build, st.sampled_from([*ORDERED]), st.sampled_from(SIZES))


def exact(name: str, get: Callable[[Any], Any], values: dict[str, Any]) -> st.SearchStrategy[tuple[str, Test]]:
    def build(operator: str, text: str) -> tuple[str, Test]:
        return f"{name}{operator}{quoted(text)}", lambda item: ORDERED[operator](get(item), values[text])

    return st.builds(build, st.sampled_from(["=", "!="]), st.sampled_from([*values]))


def trees(terms: st.SearchStrategy[tuple[str, Test]]) -> st.SearchStrategy[tuple[str, Test]]:
    def joined(inner: st.SearchStrategy[tuple[str, Test]]) -> st.SearchStrategy[tuple[str, Test]]:
        some = st.lists(inner, min_size=2, max_size=3)
        return (
            some.map(lambda parts: (" AND ".join(f"({t})" for t, _ in parts), lambda m: all(p(m) for _, p in parts)))
            | some.map(
                lambda parts: (
                    "(" + " OR ".join(f"({t})" for t, _ in parts) + ")",
                    lambda m: any(p(m) for _, p in parts),
                )
            )
            | inner.map(lambda part: (f"NOT ({part[0]})", lambda m: not part[1](m)))
            | inner.map(lambda part: (f"-({part[0]})", lambda m: not part[1](m)))
        )

    return st.recursive(terms, joined, max_leaves=6)


@given(st.text(alphabet='ab*"\\ é', max_size=12))
def test_what_the_command_line_and_rest_quote_means_itself(text: str) -> None:
    for written in (f"name = {names.quoted(text)}", rest_comparison("name", text)):
        tree = parse_filter(written)
        assert isinstance(tree, Comparison)
        assert tree.value.parts == (text,)


def test_or_binds_tighter_than_and() -> None:
    assert parse_filter("a=1 AND b=2 OR c=3") == parse_filter("a=1 AND (b=2 OR c=3)")
    assert parse_filter("a=1 AND b=2 OR c=3") != parse_filter("(a=1 AND b=2) OR c=3")
    assert parse_filter("NOT a=1 OR b=2") == parse_filter("(NOT a=1) OR b=2")


def volume(array: int, number: int) -> block_pb2.Volume:
    text = TEXTS[number % len(TEXTS)]
    status = [*STATUSES.values()][(number * 7 + array) % 4]
    return block_pb2.Volume(
        native_volume_id=f"v{number}",
        name=text,
        wwn=TEXTS[(number * 3 + array) % 5] if number % 4 else f"w{number}",
        status=status or None,
        native_storage_pool_id=TEXTS[number % 3],
        total_capacity=SIZES[number % len(SIZES)] or None,
    )


ORDERS = [
    "",
    "created_at",
    "name",
    "wwn",
    "name desc",
    "wwn,name desc",
    "status",
    "storage_id",
    "id",
    "total_capacity desc",
]


async def filled(store: Store) -> dict[str, dict[str, str]]:
    """Three arrays; name, vendor and label `env` by their ids."""
    about: dict[str, dict[str, str]] = {}
    for place, (name, env) in enumerate((("a", "prod"), ("ab", "a*b"), ("b", None))):
        array = await array_of(store, "volume", [volume(place, number) for number in range(20)])
        await array.sync([volume(place, number + (number == 3) * 20) for number in range(20)])
        no = await number_of(store, array.id)
        about[uuids.text(array.id)] = {"name": name, "vendor": "acme", **({"env": env} if env else {})}

        def write(connection: Connection, no: int = no, name: str = name, env: str | None = env) -> None:
            connection.run(_SET, {"which": no, "new": name, "maker": "acme"})
            if env is not None:
                connection.run(_LABEL, (no, "env", env))

        await store.write(write)
    return about


def read(connection: Connection, no: int | None, **fields: Any) -> resource_pb2.ListVolumesResponse:
    request = ListRequest(**fields)
    page = page_of(connection, VOLUME, listing(list_of("volume", "all" if no is None else "one"), request), no)
    return resource_pb2.ListVolumesResponse.FromString(b"".join((*(row[0] for row in page.rows), page.tail())))


def walked(connection: Connection, no: int | None, size: int, **fields: Any) -> list[Any]:
    found: list[Any] = []
    token = ""
    while True:
        page = read(connection, no, page_size=size, page_token=token, **fields)
        found += page.volumes
        token = page.next_page_token
        if not token:
            return found
        assert page.volumes


async def test_what_sql_finds_is_what_a_look_at_each_finds(store: Store) -> None:
    about = await filled(store)
    by_no = {await number_of(store, uuids.parsed(text) or b""): text for text in about}

    def check(connection: Connection) -> None:
        whole = {no: list(read(connection, no).volumes) for no in (None, *by_no)}
        everything = whole[None]
        created = [item.created_at.ToMicroseconds() for item in everything[::9]]
        env = {text: found.get("env") for text, found in about.items()}
        terms = st.one_of(
            text_terms("name", lambda item: item.name),
            text_terms("wwn", lambda item: item.wwn),
            text_terms("native_storage_pool_id", lambda item: item.native_storage_pool_id),
            text_terms("native_volume_id", lambda item: item.native_volume_id),
            text_terms("storage.name", lambda item: about[item.storage_id]["name"]),
            exact("status", lambda item: item.status, {text: number for text, number in STATUSES.items() if text}),
            number_terms("total_capacity", lambda item: item.total_capacity),
            exact("missing", lambda item: item.missing, {"true": True, "False": False}),
            exact("id", lambda item: item.id, {item.id: item.id for item in everything[::11]} | {"x": "x"}),
            exact("storage_id", lambda item: item.storage_id, {text: text for text in about} | {"x": "x"}),
            exact("storage.labels.env", lambda item: env[item.storage_id], {"prod": "prod", "a*b": "a*b", "": ""}),
            time_terms("created_at", lambda item: item.created_at.ToMicroseconds(), [*created, -(10**15)]),
            time_terms("updated_at", lambda item: item.updated_at.ToMicroseconds(), [0, *created]),
            st.just(("storage.labels:env", lambda item: env[item.storage_id] is not None)),
            st.just(("storage.labels.env:*", lambda item: env[item.storage_id] is not None)),
            st.just(("storage.labels.env > a", lambda item: (env[item.storage_id] or "") > "a")),
            st.just(('wwn > a AND wwn <= "w\uffff"', lambda item: "a" < item.wwn <= "w\uffff")),
            st.just(("status:*", lambda item: item.status != 0)),
        )

        @QUICK
        @given(trees(terms), st.sampled_from(ORDERS), st.sampled_from([None, *by_no]), st.sampled_from([1, 3, 7, 1000]))
        def same(tree: tuple[str, Test], order_by: str, no: int | None, size: int) -> None:
            text, test = tree
            wanted = [item for item in read(connection, no, order_by=order_by).volumes if test(item)]
            found = walked(connection, no, size, order_by=order_by, filter=text)
            assert found == wanted, text
            first = read(connection, no, page_size=size, order_by=order_by, filter=text, skip=2, include_total=True)
            assert list(first.volumes) == wanted[2 : size + 2]
            assert first.total_size == len(wanted)

        same()

    await store.scan(check)


async def test_a_list_that_may_read_little_answers_the_same_or_refuses(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = await filled(store)
    monkeypatch.setattr(reading, "MAX_READ", 10)
    served = [
        ("name = ab", ""),
        ("name = ab OR wwn = w4 OR native_volume_id = v3", ""),
        ("native_storage_pool_id = a AND status = normal", "created_at"),
        ("native_storage_pool_id = a", ""),
        ("status = error", ""),
        ("status = error OR status = degraded", ""),
        ("name = a*", "name"),
        ('name > "a"', "name desc"),
        ("wwn = w4 AND status = normal", ""),
        ("created_at > 2020-01-01", ""),
        ("", "name"),
        ("", "storage_id desc"),
        ("storage.labels.env = prod", "status"),
        (f"storage_id = {next(iter(about))} AND missing = false", "updated_at"),
    ]
    refused = [
        ("missing = false", ""),
        ("NOT name = a", ""),
        ("name:a", ""),
        ("", "status"),
        ("", "name,status"),
        ("native_storage_pool_id = a", "updated_at"),
        ("status = error OR missing = true", ""),
        ("storage.vendor = acme", "wwn,status"),
    ]

    def check(connection: Connection) -> None:
        for text, order_by in served:
            answer = read(connection, None, filter=text, order_by=order_by, include_total=True)
            assert answer.total_size == len(answer.volumes) > 0, text
        for text, order_by in refused:
            with pytest.raises(CallError) as refusal:
                read(connection, None, filter=text, order_by=order_by)
            assert refusal.value.reason == "QUERY_TOO_BROAD", text
            assert "name" in refusal.value.metadata["fields"]
            assert "storage.labels" in refusal.value.message
        monkeypatch.setattr(reading, "MAX_READ", 1000)
        for text, order_by in refused:
            assert read(connection, None, filter=text, order_by=order_by).volumes

    await store.scan(check)


async def test_any_page_token_is_ours_or_refused(store: Store) -> None:
    await filled(store)

    def check(connection: Connection) -> None:
        tokens = [read(connection, None, page_size=5, order_by=order).next_page_token for order in ORDERS]

        def mutated(token: str, at: int, piece: str) -> str:
            return token[: at % len(token)] + piece + token[at % len(token) + len(piece) :]

        @QUICK
        @given(
            st.builds(mutated, st.sampled_from(tokens), st.integers(0, 200), st.text(max_size=3))
            | st.text(max_size=60)
            | st.text(max_size=40).map("after:{}".format),
            st.sampled_from(ORDERS),
        )
        def taken(token: str, order_by: str) -> None:
            reasons: list[str] = []
            try:
                read(connection, None, page_token=token, order_by=order_by)
            except CallError as error:
                reasons.append(error.reason)
            except UnknownMarker:
                reasons.append("marker")
            assert reasons in ([], ["marker"] if token.startswith("after:") else ["INVALID_PAGE_TOKEN"])

        taken()

    await store.scan(check)
