"""Pages: where the last one ended, and what comes next."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import orjson
import xxhash
from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, tuple_

from services.calls.errors import CallError, invalid
from services.listing.conditions import Condition, Shape, checked, clause_of, ranges_of, shape_of, unknown
from services.listing.filter import parse_filter
from services.listing.matching import Pattern
from services.listing.order import Key, parse_order
from services.listing.spec import ListSpec
from services.store.connection import Connection, Row
from services.store.statement import Dialect, Statement, statement
from services.store.wire import varint

MAX_PAGE = 1000
MAX_SKIP = 0x7FFFFFFF
MAX_NUMBER = 2**63 - 1
AFTER = "after:"
Where = Literal["begin", "behind", "equal", "beyond"]
"""Which rows: from the first; behind the last one seen; of those the ones that equal it but for the key; the others."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What every list request has."""

    page_size: int = 0
    page_token: str = ""
    filter: str = ""
    order_by: str = ""
    skip: int = 0
    scope: str = ""
    """What else the query depends on, such as the storage."""
    include_total: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Rows with the spec's columns, and the token of the next page, empty for none."""

    rows: list[Row]
    next_page_token: str
    total: int | None = None
    """How many rows all pages have, where it was asked for."""

    def tail(self) -> bytes:
        """What comes behind the items of any List…Response, serialised: the token is field 2, the total field 3."""
        parts: list[bytes] = []
        if self.next_page_token:
            token = self.next_page_token.encode()
            parts += (b"\x12", varint(len(token)), token)
        if self.total is not None:
            parts += (b"\x18", varint(self.total))
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Listing:
    """A checked list request."""

    spec: ListSpec
    request: ListRequest
    condition: Condition
    shape: Shape
    values: tuple[Any, ...]
    """What is compared with, in the shape's order."""
    order: tuple[Key, ...]
    size: int
    digest: str

    def run(self, connection: Connection, scope: Mapping[str, Any] | None = None) -> Page:
        """The page. `scope` are values of parameters in the spec's `always`."""
        page = self.read(connection, scope or {})
        return replace(page, total=self.total(connection, scope or {})) if self.request.include_total else page

    def read(self, connection: Connection, scope: Mapping[str, Any]) -> Page:
        """The page without a total."""
        return self.page(self.rows(connection, {**self.place(connection), **scope}))

    def total(self, connection: Connection, scope: Mapping[str, Any]) -> int:
        """How many rows all pages have."""
        count: int = connection.value(
            _count(self.spec, self.shape), {**written(self.values, connection.dialect), **scope}
        )
        return count

    def narrowed(self, spec: ListSpec, condition: Condition) -> Listing:
        """The list of a part of the rows, in the same order."""
        values: list[Any] = []
        shape = shape_of(condition, values)
        return replace(self, spec=spec, condition=condition, shape=shape, values=tuple(values))

    def place(self, connection: Connection) -> dict[str, Any]:
        """Which rows of the list: how many, after which keys."""
        token = self.request.page_token
        parameters: dict[str, Any] = {}
        if token:
            parameters |= {f"key_{place}": value for place, value in enumerate(self._cursor(connection, token))}
        # A token of ours continues behind what the first page skipped.
        parameters["skip"] = 0 if token and not token.startswith(AFTER) else self.request.skip
        parameters["count"] = self.size + 1
        return parameters

    def page(self, rows: list[Row]) -> Page:
        """The page of rows that end with their keys; one more than the page's size says that there are more."""
        width = len(self.spec.columns)
        more = len(rows) > self.size
        rows = rows[: self.size]
        return Page([row[:width] for row in rows], self._token(rows[-1][width:]) if more else "")

    def rows(self, connection: Connection, place: Mapping[str, Any]) -> list[Row]:
        """The rows, each followed by its keys: after the keys in `place`, if there are some."""
        parameters = {**written(self.values, connection.dialect), **place}

        def query(where: Where) -> list[Row]:
            return connection.all(_statement(self.spec, self.shape, self.order, where), parameters)

        if "key_0" not in parameters:
            return query("begin")
        one_way = len({key.descending for key in self.order}) == 1
        if len(self.order) != 2 or not one_way or parameters["skip"]:
            return query("behind")
        # SQLite finds the place of a value in an index, but not that of a row among equal ones: thus in two steps.
        rows = query("equal")
        parameters["count"] -= len(rows)
        if not parameters["count"]:
            return rows
        # Of two bounds of a walk SQLite takes any: so all ranges begin where this page does.
        for low, high in ranges_of(self.condition, self.order[0].field):
            bound = high if self.order[0].descending else low
            if bound is not None:
                parameters[f"value_{bound}"] = parameters["key_0"]
        return rows + query("beyond")

    def _token(self, values: Sequence[Any]) -> str:
        return base64.urlsafe_b64encode(orjson.dumps([self.digest, *map(_written, values)])).decode().rstrip("=")

    def _cursor(self, connection: Connection, token: str) -> tuple[Any, ...]:
        if token.startswith(AFTER):
            return self._after(connection, token.removeprefix(AFTER))
        try:
            digest, *values = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            if digest != self.digest or len(values) != len(self.order):
                raise ValueError
            found = tuple(map(_read, values))
            for key, value in zip(self.order, found, strict=True):
                if not isinstance(value, _column(self.spec, key.field).type.python_type):
                    raise ValueError
                if isinstance(value, int) and not -MAX_NUMBER <= value <= MAX_NUMBER:
                    raise ValueError
        except (ValueError, TypeError, binascii.Error):
            raise CallError(
                "INVALID_PAGE_TOKEN",
                "The page token is not ours or belongs to another query; start again without one.",
                metadata={"page_token": token[:80]},
            ) from None
        return found

    def _after(self, connection: Connection, text: str) -> tuple[Any, ...]:
        by = self.spec.id
        if by is None:
            raise invalid("page_token", "This list has no ids to go on behind.")
        id_ = by.parse(text)
        values = by.binds(id_) if by.binds is not None else (id_,)
        parameters = {f"value_{place}": value for place, value in enumerate(values)}
        row = connection.one(_position(self.spec, self.order, len(values)), parameters)
        if row is None:
            raise UnknownMarker(text)
        return row


def written(values: Sequence[Any], dialect: Dialect) -> dict[str, Any]:
    """The values of a shape as parameters."""
    return {
        f"value_{place}": value.written(dialect) if isinstance(value, Pattern) else value
        for place, value in enumerate(values)
    }


class UnknownMarker(Exception):
    """`after:ID` names no row."""

    def __init__(self, id_: str) -> None:
        super().__init__(id_)
        self.id = id_


def listing(spec: ListSpec, request: ListRequest) -> Listing:
    """Checks a request; INVALID_INPUT names what is wrong."""
    if request.page_size < 0:
        raise invalid("page_size", f"{request.page_size} is negative.")
    if request.skip < 0:
        raise invalid("skip", f"{request.skip} is negative.")
    condition = checked(parse_filter(request.filter), spec)
    values: list[Any] = []
    shape = shape_of(condition, values)
    order = _order(spec, request.order_by)
    named = (spec.name, request.scope, request.filter, request.order_by)
    return Listing(
        spec=spec,
        request=request,
        condition=condition,
        shape=shape,
        values=tuple(values),
        order=order,
        size=min(request.page_size or MAX_PAGE, MAX_PAGE),
        digest=xxhash.xxh3_64_hexdigest(repr(named).encode()),
    )


KEY = ""
"""The name of the spec's key among the fields of an order."""


def _order(spec: ListSpec, text: str) -> tuple[Key, ...]:
    found: list[Key] = []
    for key in parse_order(text):
        resolved = spec.resolve(key.field)
        if resolved is None or not resolved.field.sortable:
            raise unknown("order_by", key.field, spec)
        if resolved.field.column is spec.key:
            # Nothing after it has a say.
            return (*found, Key(KEY, key.descending))
        if all(resolved.name != before.field for before in found):
            found.append(Key(resolved.name, key.descending))
    return (*found, Key(KEY, found[0].descending if found else spec.default_descending))


def _column(spec: ListSpec, name: str) -> ColumnElement[Any]:
    return spec.key if name == KEY else spec.named(name).column


def _conditions(spec: ListSpec, shape: Shape, *, without: str = "") -> list[ColumnElement[bool]]:
    clause = clause_of(shape, spec, without=without)
    return [*spec.always] if clause is None else [*spec.always, clause]


@lru_cache(maxsize=256)
def _count(spec: ListSpec, shape: Shape) -> Statement:
    return statement(select(func.count()).select_from(spec.source).where(*_conditions(spec, shape)))


@lru_cache(maxsize=1024)
def _statement(spec: ListSpec, shape: Shape, order: tuple[Key, ...], where: Where) -> Statement:
    columns = [_column(spec, key.field) for key in order]
    # Rows that equal the last one in the first key are within each of its ranges.
    conditions = _conditions(spec, shape, without=order[0].field if where == "equal" else "")
    descending = [key.descending for key in order]
    if where == "behind":
        conditions.append(_behind(columns, descending))
    elif where == "equal":
        first = bindparam("key_0", required=True, type_=columns[0].type)
        conditions += [columns[0] == first, _behind(columns[1:], descending[1:], begin=1)]
    elif where == "beyond":
        conditions.append(_behind(columns[:1], descending[:1]))
    query = select(*spec.columns, *columns).select_from(spec.source).where(*conditions)
    for column, key in zip(columns, order, strict=True):
        query = query.order_by(column.desc() if key.descending else column.asc())
    return statement(query.limit(bindparam("count")).offset(bindparam("skip")))


def _behind(columns: list[ColumnElement[Any]], descending: list[bool], *, begin: int = 0) -> ColumnElement[bool]:
    """Rows that come after the one with the values `key_0`, `key_1`…"""
    values = [bindparam(f"key_{place}", type_=column.type) for place, column in enumerate(columns, begin)]
    if len(set(descending)) == 1:
        # A comparison of rows is one that an index can answer.
        left, right = (columns[0], values[0]) if len(columns) == 1 else (tuple_(*columns), tuple_(*values))
        return left < right if descending[0] else left > right
    alternatives: list[ColumnElement[bool]] = []
    for place, (column, value) in enumerate(zip(columns, values, strict=True)):
        equal = [columns[before] == values[before] for before in range(place)]
        alternatives.append(and_(*equal, column < value if descending[place] else column > value))
    return or_(*alternatives)


@lru_cache(maxsize=256)
def _position(spec: ListSpec, order: tuple[Key, ...], values: int) -> Statement:
    assert spec.id is not None
    columns = [_column(spec, key.field) for key in order]
    binds: list[ColumnElement[Any]] = [bindparam(f"value_{place}", required=True) for place in range(values)]
    found = spec.id.condition("=", *binds)
    return statement(select(*columns).select_from(spec.source).where(found).limit(1))


def _written(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return "b" + bytes(value).hex()
    return f"i{value}" if isinstance(value, int) else f"s{value}"


def _read(text: str) -> Any:
    kind, rest = text[:1], text[1:]
    if kind == "b":
        return bytes.fromhex(rest)
    if kind == "i":
        return int(rest)
    if kind == "s":
        return rest
    raise ValueError(text)
