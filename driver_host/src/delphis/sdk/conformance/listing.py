"""What list methods answer, and which kinds they are about."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from delphis.sdk.host.contract import Method, item_of, methods
from delphis.sdk.testing.client import Reply
from delphis.type.v1 import options_pb2


@dataclass
class Listing:
    """What a list method answered."""

    method: Method
    reply: Reply
    messages: list[Any] = field(default_factory=list[Any])

    @property
    def rpc(self) -> str:
        """`ListVolumes`"""
        return self.method.name

    @property
    def kind(self) -> str:
        """`volume`; empty for alerts and points."""
        return kind_of(self.method)

    @cached_property
    def items(self) -> list[Any]:
        """All items of all messages."""
        return [item for message in self.messages for item in message.items]

    @cached_property
    def native_ids(self) -> list[str]:
        """The native ids, in their order."""
        name = item_of(self.method).native_id
        return [getattr(item, name) for item in self.items] if name is not None else []


def kind_of(method: Method) -> str:
    """The resource kind that a method lists, singular; empty where it lists none."""
    if not method.streams:
        return ""
    options: Any = item_of(method).kind.DESCRIPTOR.GetOptions()
    return str(options.Extensions[options_pb2.resource].kind)


def resource_methods() -> dict[str, Method]:
    """The methods that list resources, by kind."""
    return {kind: method for method in methods().values() if (kind := kind_of(method))}
