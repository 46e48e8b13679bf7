"""The page to try the API: whole, and with nothing from elsewhere."""

from __future__ import annotations

import re

import pytest

from tests.openapi.conftest import Described


@pytest.mark.parametrize("fixture", ["open_gateway", "closed_gateway"])
def test_page_has_all_it_names(fixture: str, request: pytest.FixtureRequest) -> None:
    described: Described = request.getfixturevalue(fixture)
    page = described.client.get("/v1/docs")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.body.decode())
    files = [name for name in named if not name.startswith("data:")]
    assert "docs/swagger-ui-bundle.js" in files
    for name in files:
        assert re.fullmatch(r"[a-z./-]+", name), f"{name} is not beside the page"
        reply = described.client.get(f"/v1/{name}")
        assert reply.status == 200, name
        kind = {"js": "text/javascript", "css": "text/css", "json": "application/json"}[name.rpartition(".")[2]]
        assert reply.headers["content-type"].startswith(kind)


def test_policy_lets_nothing_in_from_elsewhere(open_gateway: Described) -> None:
    policy = open_gateway.client.get("/v1/docs").headers["content-security-policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == directives["frame-ancestors"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == directives["connect-src"] == "'self'"
    assert "unsafe" not in policy
    assert "http" not in policy
    styles = open_gateway.client.get("/v1/docs/swagger-ui.css").body.decode()
    assert not re.findall(r"url\((?!['\"]?data:)|@import", styles)


def test_guard_stands_before_it(open_gateway: Described, closed_gateway: Described) -> None:
    foreign = {"Host": "evil.example"}
    for path in ("/v1/docs", "/v1/openapi.json"):
        assert open_gateway.client.request("GET", path, headers=foreign).status == 403
        from_elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
        assert open_gateway.client.request("GET", path, headers=from_elsewhere).status == 403
        # With tokens the names are no protection; a page that shows no data asks for none.
        assert closed_gateway.client.request("GET", path, headers=foreign).status == 200
    assert closed_gateway.client.get("/v1/storages").status == 401


@pytest.mark.parametrize("path", ["/v1/docs/", "/v1/docs/page.py", "/v1/docs/..%2fpage.py", "/v1/docs/../guard.py"])
def test_nothing_else_is_served(path: str, open_gateway: Described) -> None:
    assert open_gateway.client.get(path).status == 404
