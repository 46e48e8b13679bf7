"""A page to try the API: Swagger UI, from a package that is installed with us, so that no other host is asked."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from gateway.operation import Headers

PATH = "/v1/docs"

_OURS = Path(__file__).parent / "page"
_PACKAGE = "mkdocs_swagger_ui_tag"  # for its files alone: it is never imported
_TYPES = {
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
}
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class AssetsMissing(Exception):
    """The package with the page's files is not installed."""


@cache
def _files() -> dict[str, Path]:
    """The page's files by their paths. Only these are served."""
    found = find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise AssetsMissing(f"The package {_PACKAGE} is missing: install requirements/app.txt.")
    theirs = Path(found.origin).parent / "swagger-ui"
    return {
        PATH: _OURS / "index.html",
        f"{PATH}/start.js": _OURS / "start.js",
        f"{PATH}/swagger-ui-bundle.js": theirs / "javascripts" / "swagger-ui-bundle.js",
        f"{PATH}/swagger-ui.css": theirs / "stylesheets" / "swagger-ui.css",
    }


def has(path: str) -> bool:
    """Whether the path is the page's or one of its files'."""
    return (path == PATH or path.startswith(f"{PATH}/")) and path in _files()


def read(path: str) -> tuple[Headers, bytes]:
    """A file and the headers with which it goes out."""
    file = _files()[path]
    headers: Headers = [
        (b"content-type", _TYPES[file.suffix]),
        (b"content-security-policy", POLICY),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
    ]
    return headers, file.read_bytes()
