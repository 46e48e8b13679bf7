"""Drivers and arrays for the kit's own tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from delphis.sdk.conformance import Array
from delphis.type.v1.access_pb2 import AccessInfo

REPO = Path(__file__).parents[2]
BAD = REPO / "tests" / "bad_drivers"
HERE = Path(__file__).parent
PASSWORD = "S3nt1nel-p@ss-w0rd"


def access(
    host: str = "127.0.0.9", port: int = 443, password: str = PASSWORD, extra: Mapping[str, str] | None = None
) -> AccessInfo:
    """Access info; `extra` are its extra attributes."""
    info = AccessInfo(extra_attributes=dict(extra or {}))
    info.rest.host, info.rest.port = host, port
    info.rest.username, info.rest.password = "monitor", password
    return info


def array(*, port: int = 443, connects: bool = False, **extra: str) -> Array:
    """An array with all variants."""
    if connects:
        extra["connect"] = "yes"
    return Array(
        access("127.0.0.1" if connects else "127.0.0.9", port, extra=extra),
        second=access("127.0.0.10", extra={key: value for key, value in extra.items() if key != "connect"}),
        wrong=access("127.0.0.1", port, "nonsense", extra),
        makes_no_connection=not connects,
        may_be_changed=True,
        blocks=("rest",),
    )
