"""VersionService: what runs here."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from delphis.inventory.v1 import version_pb2 as pb
from services.calls.method import Call, Method, MethodTable, methods_of, unary

_CHECKOUT = Path(__file__).parents[2] / ".git"


def methods(served: Iterable[Method]) -> Iterator[Method]:
    """The service for a method table, which speaks of all methods served."""
    own = pb.DESCRIPTOR.services_by_name["VersionService"]
    services = {*MethodTable(served).services(), own.full_name}
    contracts = sorted({name.rpartition(".")[0] for name in services if name.startswith("delphis.")})

    async def get_version(_: pb.GetVersionRequest, __: Call) -> pb.Version:
        return pb.Version(
            version=importlib.metadata.version("delphis"),
            contract_version=importlib.metadata.version("delphis-protos"),
            contracts=contracts,
            revision=revision(),
        )

    return methods_of(own, {"GetVersion": unary(pb.GetVersionRequest, get_version)})


@cache
def revision() -> str:
    """What the image was built from, or what the checkout is at; empty where neither is known."""
    built = os.environ.get("DELPHIS_REVISION", "")
    return built or _revision_of(_CHECKOUT)


def _revision_of(folder: Path) -> str:
    """As `git rev-parse HEAD`, without git."""
    try:
        head = (folder / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        name = head.removeprefix("ref: ")
        loose = folder / name
        if loose.is_file():
            return loose.read_text().strip()
        for line in (folder / "packed-refs").read_text().splitlines():
            found, _, ref = line.partition(" ")
            if ref == name:
                return found
    except OSError:
        pass
    return ""
