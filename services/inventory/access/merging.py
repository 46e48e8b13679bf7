"""What a change makes of a stored access info."""

from __future__ import annotations

from delphis.inventory.v1 import inventory_pb2
from delphis.type.v1 import access_pb2
from services.calls.errors import invalid
from services.inventory.access.rules import Block, given_blocks, has
from services.inventory.redaction import is_secret

# What proves the array to us weakens only when somebody says so.
_PROOFS = ("tls", "pub_key", "pub_key_type", "host_key_policy")
# Goes with another field: a new one of those doesn't take the old one of these.
_BELONGS_TO = {"pub_key_type": "pub_key", "private_key_passphrase": "private_key"}


def merged(stored: access_pb2.AccessInfo, given: inventory_pb2.UpdateAccessInfoRequest) -> access_pb2.AccessInfo:
    """The stored access info with the given blocks in place of its own.

    Secrets that are not given are kept, unless the block's host changes: they belong to the old one.
    """
    result = access_pb2.AccessInfo()
    result.CopyFrom(stored)
    for name, block in given_blocks(given):
        old: Block | None = getattr(stored, name) if has(stored, name) else None
        getattr(result, name).CopyFrom(block if old is None else _replaced(name, old, block))
    if given.extra_attributes:
        result.extra_attributes.clear()
        result.extra_attributes.update(given.extra_attributes)
    return result


def _replaced(name: str, old: Block, given: Block) -> Block:
    new = type(given)()
    new.CopyFrom(given)  # type: ignore[arg-type]
    moved = given.host.lower() != old.host.lower()
    for field, value in old.ListFields():
        owner = _BELONGS_TO.get(field.name)
        if has(given, field.name) or (owner is not None and has(given, owner)):
            continue
        if is_secret(field):
            if moved and not _has_other_login(given, field.name):
                raise invalid(
                    f"{name}.{field.name}", "It must be given with a new host: the stored one is not sent to another."
                )
            if not moved:
                setattr(new, field.name, value)
        elif field.name in _PROOFS:
            if field.message_type is not None:
                getattr(new, field.name).CopyFrom(value)
            else:
                setattr(new, field.name, value)
    return new


def _has_other_login(given: Block, missing: str) -> bool:
    """Whether another secret is given, so that the missing one may simply go."""
    return any(is_secret(field) and field.name != missing for field, _ in given.ListFields())
