"""docs/defects.md names tests that exist; and those that exist nowhere else."""

from __future__ import annotations

import ast
import fnmatch
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

from delphis.type.v1 import host_pb2
from services.calls.errors import reasons
from services.inventory.kinds import KINDS
from services.inventory.resources import hosts
from services.store.connection import Connection
from services.store.wire import framed
from tests.catalogue import errors, lists, resources, storages

REPO = Path(__file__).parents[2]
TEXT = (REPO / "docs" / "defects.md").read_text(encoding="utf-8")
REFERENCES = sorted(set(re.findall(r"`(tests/[^`\s]+\.py)(?:::(\w+))?`", TEXT)))


@cache
def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize(("file", "function"), REFERENCES, ids=["::".join(one) for one in REFERENCES])
def test_what_is_named_is_there(file: str, function: str) -> None:
    path = REPO / file
    assert path.is_file()
    if function:
        assert function in functions(path)


def test_each_defect_has_an_entry_that_names_a_test_or_says_why_not() -> None:
    entries = re.split(r"^(?:- )?\*\*(?=\d+\. )", TEXT, flags=re.MULTILINE)[1:]
    assert sorted(int(entry.split(".")[0]) for entry in entries) == list(range(1, 50))
    later = TEXT.partition("## Arrives with")[2]
    without = [entry[:40] for entry in entries if "`tests/" not in entry and "can't arise" not in entry]
    assert all(f"**{entry}" in later for entry in without), without


def test_the_rows_that_are_named_are_there() -> None:
    names = [row.name for table in (errors, storages, resources, lists) for row in table.TABLE]
    patterns = [one for group in re.findall(r"\(rows?\s([^)]*)\)", TEXT) for one in re.findall(r"`([^`]+)`", group)]
    assert len(patterns) > 10
    assert [one for one in patterns if not fnmatch.filter(names, one.replace("…", "*"))] == []


class Counting:
    """A connection that counts what it is asked."""

    def __init__(self) -> None:
        self.queries = 0

    def all(self, _: object, values: tuple[int, list[str]]) -> Sequence[tuple[str, str]]:
        self.queries += 1
        return [(host, f"initiator of {host}") for host in values[1]]


def test_initiators_of_a_page_of_hosts_are_one_query() -> None:
    names = [f"h{number}" for number in range(400)]
    rows: list[Any] = [
        (framed(host_pb2.StorageHost(native_storage_host_id=name).SerializeToString()), 1, name) for name in names
    ]
    connection = Counting()
    bodies = hosts.completed(cast("Connection", connection), rows)
    assert connection.queries == 1
    assert [b"initiator of " + name.encode() in body for name, body in zip(names, bodies, strict=True)] == [True] * 400


def raised() -> Iterator[tuple[str, str]]:
    """Reasons that stand in the source as the first argument of CallError."""
    for folder in ("services", "gateway"):
        for path in sorted((REPO / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
                    continue
                first = node.args[0]
                if node.func.id == "CallError" and isinstance(first, ast.Constant) and first.value:
                    yield str(path), str(first.value)


def test_reasons_that_are_raised_are_the_contracts() -> None:
    found = list(raised())
    assert len(found) > 50
    assert [one for one in found if one[1] not in reasons()] == []
    assert [kind.not_found for kind in KINDS.values() if kind.not_found not in reasons()] == []
