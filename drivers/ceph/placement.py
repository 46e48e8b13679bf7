"""Which disks a pool's data may lie on: CRUSH rules, followed through the tree of racks, hosts and disks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .disks import id_of


class Placement:
    """The rules of a cluster."""

    def __init__(self, osd_map: Mapping[str, Any]) -> None:
        """
        Args:
            osd_map: Of `/api/health/full`.
        """
        self._rules = {rule["rule_name"]: rule for rule in osd_map["crush"]["rules"]}
        self._nodes = {node["id"]: node for node in osd_map["tree"]["nodes"]}
        self._by_name = {node["name"]: node for node in self._nodes.values()}
        self._disks = {osd["osd"]: id_of(osd) for osd in osd_map["osds"]}

    def disks(self, rule_name: Any) -> list[str]:
        """Native ids of the disks that a rule may put data on, by the number of the disk."""
        rule = self._rules.get(rule_name)
        if rule is None:
            return []
        numbers: set[int] = set()
        for step in rule["steps"]:
            if step.get("op") == "take":
                # "default~ssd" is that part of "default" which has the device class.
                root, _, device_class = str(step["item_name"]).partition("~")
                numbers |= self._below(root, device_class)
        return [self._disks[number] for number in sorted(numbers) if number in self._disks]

    def _below(self, root: str, device_class: str) -> set[int]:
        found: set[int] = set()
        seen: set[int] = set()
        todo = [self._by_name[root]] if root in self._by_name else []
        while todo:
            node = todo.pop()
            if node["id"] in seen:
                continue
            seen.add(node["id"])
            if node["type"] == "osd":
                if device_class in ("", node.get("device_class")):
                    found.add(node["id"])
            else:
                todo += [self._nodes[child] for child in node.get("children", ()) if child in self._nodes]
        return found
