"""Filters whose fields are known: checked, taken apart, made SQL of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, not_, or_

from services.calls.errors import CallError, invalid
from services.listing.filter import All, Comparison, Not, Some, Tree, Value
from services.listing.matching import Pattern, behind_prefix
from services.listing.spec import Field, ListSpec, Resolved

MAX_ALTERNATIVES = 8
RANGES = {"begins": (0, 1), "<": (None, 0), "<=": (None, 0), ">": (0, None), ">=": (0, None)}
"""Operators that an index answers by walking, and which of their values the walk begins and ends at."""
_ORDERED = {"text", "time", "number"}


class Term(NamedTuple):
    """A comparison as the database makes it."""

    field: str
    operator: str
    values: tuple[Any, ...]


class Negated(NamedTuple):
    """What its part is not."""

    part: Condition


class Both(NamedTuple):
    """All parts hold; without parts everything does."""

    parts: tuple[Condition, ...]


class Either(NamedTuple):
    """At least one part holds."""

    parts: tuple[Condition, ...]


Condition = Term | Negated | Both | Either
Shape = tuple[Any, ...]
"""A condition without its values: those with one shape have one statement."""
EVERYTHING = Both(())


def checked(tree: Tree | None, spec: ListSpec) -> Condition:
    """The condition of a filter; INVALID_INPUT names the field that is wrong."""
    if tree is None:
        return EVERYTHING
    if isinstance(tree, Not):
        return Negated(checked(tree.part, spec))
    if isinstance(tree, All):
        return Both(tuple(part for one in tree.parts for part in conjuncts(checked(one, spec))))
    if isinstance(tree, Some):
        return Either(tuple(checked(part, spec) for part in tree.parts))
    found = spec.resolve(tree.field)
    if found is None:
        raise unknown("filter", tree.field, spec)
    return _compared(tree, found)


def unknown(where: str, name: str, spec: ListSpec) -> CallError:
    """No field has the name."""
    name = name[:80]
    names = ", ".join(spec.names(sortable=where == "order_by"))
    return CallError(
        "INVALID_INPUT",
        f"Invalid input for field/attribute {name}. The {where} of {spec.name} takes {names}.",
        metadata={"field": name},
    )


def _compared(comparison: Comparison, found: Resolved) -> Condition:
    name, operator, value = comparison
    if operator == "!=":
        return Negated(_compared(comparison._replace(operator="="), found))
    if operator == ":" and value.any:
        return Term(found.name, "set", found.key)
    field = found.field
    if field.type == "map":
        if operator != ":":
            raise invalid(name, f"It is a map: compare one of its keys, as {name}.KEY, or say {name}:KEY.")
        return Term(found.name, "has", (value.text.replace("\0", ""),))
    if operator in {"=", ":"}:
        return _equal(name, found, value, inside=operator == ":" and field.wild)
    if field.type not in _ORDERED:
        raise invalid(name, f"It is compared by = and != alone, not by {operator}.")
    return Term(found.name, operator, (*found.key, *_values(name, field, value.text)))


def _equal(name: str, found: Resolved, value: Value, *, inside: bool) -> Condition:
    field, parts = found.field, value.parts
    if field.type == "text" and (inside or len(parts) > 1):
        parts = tuple(part.replace("\0", "") for part in (("", *parts, "") if inside else parts))
        terms: list[Condition] = []
        high = behind_prefix(parts[0])
        if parts[0] and high is not None:
            terms.append(Term(found.name, "begins", (*found.key, parts[0], high)))
        if not terms or any(parts[1:]):
            terms.append(Term(found.name, "matches", (*found.key, Pattern(parts))))
        return terms[0] if len(terms) == 1 else Both(tuple(terms))
    return Term(found.name, "=", (*found.key, *_values(name, field, value.text)))


def _values(name: str, field: Field, text: str) -> tuple[Any, ...]:
    try:
        value = field.parse(text)
    except ValueError as error:
        raise invalid(name, f"{text[:80]!r} is no value of it. {error}") from None
    if isinstance(value, str):
        value = value.replace("\0", "")
    return field.binds(value) if field.binds is not None else (value,)


def conjuncts(condition: Condition) -> tuple[Condition, ...]:
    """What must hold all together."""
    return condition.parts if isinstance(condition, Both) else (condition,)


def joined(parts: tuple[Condition, ...]) -> Condition:
    """All of the parts hold."""
    return parts[0] if len(parts) == 1 else Both(tuple(one for part in parts for one in conjuncts(part)))


def terms_of(condition: Condition) -> Iterator[Term]:
    """All terms, wherever they are."""
    if isinstance(condition, Term):
        yield condition
    elif isinstance(condition, Negated):
        yield from terms_of(condition.part)
    else:
        for part in condition.parts:
            yield from terms_of(part)


def alternatives(condition: Condition) -> list[tuple[Condition, ...]]:
    """Conjunctions of which at least one holds where the condition does: a few, else the condition alone."""
    found: list[tuple[Condition, ...]] = [()]
    for part in conjuncts(condition):
        ways: list[tuple[Condition, ...]] = [(part,)]
        if isinstance(part, Either) and len(found) * len(part.parts) <= MAX_ALTERNATIVES:
            ways = [conjuncts(way) for way in part.parts]
        found = [(*one, *way) for one in found for way in ways]
    return found


def ranges_of(condition: Condition, field: str) -> Iterator[tuple[int | None, int | None]]:
    """Of the ranges of a field that must hold in any case: the places of the values they begin and end at."""
    place = 0
    for part in conjuncts(condition):
        if isinstance(part, Term) and part.field == field and part.operator in RANGES:
            low, high = RANGES[part.operator]
            yield (None if low is None else place + low), (None if high is None else place + high)
        place += sum(len(term.values) for term in terms_of(part))


def shape_of(condition: Condition, values: list[Any]) -> Shape:
    """The condition's shape; its values are added to `values` in their order."""
    if isinstance(condition, Term):
        values.extend(condition.values)
        return (condition.field, condition.operator, len(condition.values))
    if isinstance(condition, Negated):
        return ("not", shape_of(condition.part, values))
    word = "and" if isinstance(condition, Both) else "or"
    return (word, *(shape_of(part, values) for part in condition.parts))


def clause_of(shape: Shape, spec: ListSpec, *, without: str = "") -> ColumnElement[bool] | None:
    """The SQL of a shape, with its values as the parameters `value_0`, `value_1`…; None where everything holds.

    Ranges of the field `without` that must hold in any case are left out.
    """
    return _clause(shape, spec, iter(range(1_000_000)), without)


def _clause(shape: Shape, spec: ListSpec, places: Iterator[int], without: str) -> ColumnElement[bool] | None:
    word, *rest = shape
    if word == "not":
        return not_(_clause(rest[0], spec, places, ""))  # type: ignore[arg-type]
    if word == "or":
        return or_(*(part for one in rest if (part := _clause(one, spec, places, "")) is not None))
    if word == "and":
        parts = [part for one in rest if (part := _clause(one, spec, places, without)) is not None]
        return and_(*parts) if parts else None
    operator, count = rest
    if word == without and operator in RANGES:
        for _ in range(count):
            next(places)
        return None
    field = spec.named(word)
    kind = field.column.type
    binds = [bindparam(f"value_{next(places)}", required=True, type_=kind) for _ in range(count)]
    return field.condition(operator, *binds)
