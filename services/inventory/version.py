"""VersionService."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Iterator

from delphis.inventory.v1 import version_pb2 as pb
from services.calls.method import Call, Method, methods_of, unary

API_VERSIONS = ("v1",)


def methods() -> Iterator[Method]:
    """The service for a method table."""
    return methods_of(
        pb.DESCRIPTOR.services_by_name["VersionService"], {"GetVersion": unary(pb.GetVersionRequest, _get_version)}
    )


async def _get_version(request: pb.GetVersionRequest, call: Call) -> pb.Version:
    return pb.Version(version=_installed(), api_versions=API_VERSIONS)


@functools.cache
def _installed() -> str:
    return importlib.metadata.version("delphis")
