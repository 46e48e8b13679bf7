"""Statements: the order of parameters, constants, lists."""

from __future__ import annotations

import pytest
from sqlalchemy import bindparam, select, update

from services.inventory.schema.registry import settings
from services.store.statement import Dialect, sql, statement

_LISTED = statement(
    select(settings.c.name)
    .where(settings.c.value != b"", settings.c.name.in_(bindparam("names", expanding=True)))
    .where(settings.c.value == bindparam("value"))
    .limit(5)
)


@pytest.mark.parametrize(("dialect", "mark"), [("sqlite", "?"), ("postgresql", "%s")])
def test_lists_take_as_many_marks_as_they_have_values(dialect: Dialect, mark: str) -> None:
    prepared = _LISTED.prepared(dialect)
    assert prepared.names == ("names", "value")
    text, values = prepared.bind({"names": ["a", "b", "c"], "value": b"v"})
    assert f"({mark}, {mark}, {mark})" in text
    assert list(values)[:5] == [b"", "a", "b", "c", b"v"]
    assert prepared.bind((["a", "b", "c"], b"v")) == (text, values)
    text, values = prepared.bind(([], b"v"))
    assert "(NULL)" in text
    assert list(values)[:2] == [b"", b"v"]


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_tuples_pass_through_where_nothing_is_to_do(dialect: Dialect) -> None:
    change = statement(
        update(settings).where(settings.c.name == bindparam("which")).values(value=bindparam("new_value"))
    )
    row = (b"v", "a")
    assert change.prepared(dialect).direct
    assert change.prepared(dialect).bind(row)[1] is row
    assert list(change.prepared(dialect).bind({"which": "a", "new_value": b"v"})[1]) == [b"v", "a"]


def test_text_by_hand_takes_named_parameters_and_keeps_casts() -> None:
    written = sql(sqlite="SELECT :a, :b, :a", postgresql="SELECT :a::int, :b, :a")
    assert written.prepared("sqlite").bind({"a": 1, "b": 2}) == ("SELECT ?, ?, ?", [1, 2, 1])
    assert written.prepared("postgresql").bind((1, 2)) == ("SELECT %s::int, %s, %s", [1, 2, 1])


def test_a_missing_parameter_is_an_error() -> None:
    with pytest.raises(KeyError):
        _LISTED.prepared("sqlite").bind({"names": []})
