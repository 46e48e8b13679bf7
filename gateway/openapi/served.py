"""What is described."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.bindings import Binding
from gateway.descriptors import DescriptorSet


@dataclass(frozen=True, slots=True)
class Served:
    """What one backend serves over HTTP."""

    descriptors: DescriptorSet
    bindings: Sequence[Binding]
