"""Groups: two lists in a dict, of groups and of who is in which. Some drivers write members into the groups instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from delphis.delfin import odd_values, rows
from delphis.delfin.notes import Notes
from delphis.sdk import PortGroup, StorageHostGroup, VolumeGroup


@dataclass(frozen=True)
class GroupKind:
    """How a kind of group is written."""

    message: type[Any]
    groups: str
    """The key of the list of groups."""
    relations: str
    """The key of the list of memberships."""
    group_id: str
    member_id: str
    members: str
    """The field of the message; also the key under which a group may name its members."""


KINDS = {
    "list_storage_host_groups": GroupKind(
        StorageHostGroup,
        "storage_host_groups",
        "storage_host_grp_host_rels",
        "native_storage_host_group_id",
        "native_storage_host_id",
        "storage_hosts",
    ),
    "list_port_groups": GroupKind(
        PortGroup, "port_groups", "port_grp_port_rels", "native_port_group_id", "native_port_id", "ports"
    ),
    "list_volume_groups": GroupKind(
        VolumeGroup, "volume_groups", "vol_grp_vol_rels", "native_volume_group_id", "native_volume_id", "volumes"
    ),
}


class Groups:
    """Reads the groups of one kind."""

    def __init__(self, kind: GroupKind) -> None:
        self._kind = kind
        self._rows = rows.Rows[Any](kind.message, ignored=(kind.members,))

    def messages(self, answer: Any, notes: Notes) -> Iterator[Any]:
        """The groups, each with its members."""
        kind = self._kind
        relations: Any = None
        if isinstance(answer, Mapping) and (kind.groups in answer or kind.relations in answer):
            relations = answer.get(kind.relations)
            for key in set(answer) - {kind.groups, kind.relations}:
                notes.odd(str(key), "is no list of groups: left out")
            answer = answer.get(kind.groups) or []
        members = self._members(relations, notes) if relations is not None else None
        for row in rows.listed(answer, notes):
            found = rows.as_row(row)
            if found is None:
                notes.lacks("row", f"is of type {type(row).__name__}, not a dict: left out", row)
                continue
            message = self._rows.message(found, notes)
            native_id = getattr(message, kind.group_id)
            inside = members.pop(native_id, None) if members is not None else None
            if inside is None:
                inside = dict.fromkeys(_named(found.get(kind.members)))
            getattr(message, kind.members).extend(inside)
            yield message
        if members:
            notes.odd(kind.relations, "names groups that are not listed: left out", next(iter(members)))
        notes.tell()

    def _members(self, relations: Any, notes: Notes) -> dict[str, dict[str, None]]:
        members: dict[str, dict[str, None]] = {}
        for row in rows.listed(relations, notes):
            found = rows.as_row(row) or {}
            group, member = (_id(found.get(key)) for key in (self._kind.group_id, self._kind.member_id))
            if group is None or member is None:
                notes.lacks(self._kind.relations, "has a row without both ids: left out", row)
            else:
                members.setdefault(group, {})[member] = None
        return members


def _id(value: Any) -> str | None:
    if value is None:
        return None
    try:
        return odd_values.one_line(value)
    except odd_values.Unreadable:
        return None


def _named(value: Any) -> Iterator[str]:
    """Ids that stand in a group: joined by commas, or in a list."""
    if value is None:
        return
    for part in value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple, set)) else ():
        if (found := _id(part)) is not None:
            yield found
