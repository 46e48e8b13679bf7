"""Templates of paths, and which one a path belongs to."""

from __future__ import annotations

import pytest

from gateway.routes import RouteTable
from gateway.template import BadTemplate, parse


def table(*lines: str) -> RouteTable[str]:
    """Routes from lines like `GET /v1/x`; each leads to its own line."""
    return RouteTable((line.split()[0], parse(line.split()[1]), line) for line in lines)


ROUTES = table(
    "GET /v1/shelves",
    "GET /v1/shelves/{shelf}",
    "DELETE /v1/shelves/{shelf}",
    "POST /v1/shelves/sort",
    "POST /v1/shelves/{shelf}:sort",
    "POST /v1/shelves:merge",
    "GET /v1/{name=shelves/*/books/*}",
    "POST /v1/{name=shelves/*/books/*}:move",
    "GET /v1/{book.name=authors/*}/covers/{size}",
    "GET /files/{path=**}",
    "GET /files/{path=**}:text",
    "GET /tree/{root}/**",
    "* /any/thing",
    "GET /v1/with%20space",
)


@pytest.mark.parametrize(
    ("line", "template", "variables"),
    [
        ("GET /v1/shelves", "GET /v1/shelves", {}),
        ("GET /v1/shelves/s", "GET /v1/shelves/{shelf}", {"shelf": "s"}),
        ("GET /v1/shelves/sort", "GET /v1/shelves/{shelf}", {"shelf": "sort"}),
        ("POST /v1/shelves/sort", "POST /v1/shelves/sort", {}),
        ("POST /v1/shelves/s:sort", "POST /v1/shelves/{shelf}:sort", {"shelf": "s"}),
        ("POST /v1/shelves/s:t:sort", "POST /v1/shelves/{shelf}:sort", {"shelf": "s:t"}),
        ("GET /v1/shelves/s:sort", "GET /v1/shelves/{shelf}", {"shelf": "s:sort"}),
        ("GET /v1/shelves/iqn.2001-04.com:x", "GET /v1/shelves/{shelf}", {"shelf": "iqn.2001-04.com:x"}),
        ("POST /v1/shelves/s%3Asort", None, {}),
        ("POST /v1/shelves:merge", "POST /v1/shelves:merge", {}),
        ("GET /v1/shelves/a%2Fb", "GET /v1/shelves/{shelf}", {"shelf": "a/b"}),
        ("GET /v1/shelves/1/books/2", "GET /v1/{name=shelves/*/books/*}", {"name": "shelves/1/books/2"}),
        ("GET /v1/shelves/1/books/a%2Fb%20c", "GET /v1/{name=shelves/*/books/*}", {"name": "shelves/1/books/a%2Fb c"}),
        ("POST /v1/shelves/1/books/2:move", "POST /v1/{name=shelves/*/books/*}:move", {"name": "shelves/1/books/2"}),
        (
            "GET /v1/authors/x/covers/s",
            "GET /v1/{book.name=authors/*}/covers/{size}",
            {"book.name": "authors/x", "size": "s"},
        ),
        ("GET /files", "GET /files/{path=**}", {"path": ""}),
        ("GET /files/a/b%2Fc", "GET /files/{path=**}", {"path": "a/b%2Fc"}),
        ("GET /files/a/b:text", "GET /files/{path=**}:text", {"path": "a/b"}),
        ("GET /tree/x/y/z", "GET /tree/{root}/**", {"root": "x"}),
        ("PURGE /any/thing", "* /any/thing", {}),
        ("GET /v1/with%20space", "GET /v1/with%20space", {}),
        ("GET /v1/sh%65lves", "GET /v1/shelves", {}),
        ("GET /v1/shelves/", None, {}),
        ("GET /v1/shelves//books/2", None, {}),
        ("GET /", None, {}),
        ("GET //", None, {}),
        ("PUT /v1/shelves", None, {}),
        ("GET /v1/shelves/s/", None, {}),
    ],
)
def test_match(line: str, template: str | None, variables: dict[str, str]) -> None:
    match = ROUTES.match(*line.split())
    assert (match.target if match else None) == template
    assert (match.variables if match else {}) == variables


def test_methods_of_a_path() -> None:
    assert ROUTES.methods("/v1/shelves/sort") == ["DELETE", "GET", "POST"]
    assert ROUTES.methods("/v1/shelves/s:sort") == ["DELETE", "GET", "POST"]
    assert ROUTES.methods("/v2") == []


def test_first_one_has_the_path() -> None:
    routes = table("GET /a/{x}", "GET /a/{y}", "POST /a/{y}")
    match = routes.match("GET", "/a/1")
    assert match is not None
    assert match.target == "GET /a/{x}"
    assert [target for _, _, target in routes.refused] == ["GET /a/{y}"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v1",
        "/",
        "/a//b",
        "/a/",
        "/a/{x",
        "/a/{x}y",
        "/a/**/b",
        "/{x=**}/b",
        "/{x}/{x}",
        "/a b*",
        "/{}",
        "/{x={y}}",
        "/{1x}",
    ],
)
def test_template_that_is_none(text: str) -> None:
    with pytest.raises(BadTemplate):
        parse(text)
