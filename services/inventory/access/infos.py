"""Access infos in the store, encrypted; and for the router, in memory, as they are."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import bindparam, insert, select, update

from delphis.type.v1 import access_pb2
from services.calls.errors import CallError
from services.inventory.redaction import redacted
from services.inventory.schema.storages import access_endpoints, access_infos, storages
from services.inventory.storages.rows import Endpoint, not_found
from services.registry.manifest import Pair
from services.router.targets import ResolvedTarget
from services.store.connection import Connection, Row
from services.store.engine import Store
from services.store.statement import statement
from services.values import times, uuids
from services.vault.errors import Undecryptable
from services.vault.vault import Vault

CHANGED = "access-infos"
"""The topic that is signalled when an access info changed or went."""
KEPT = 4096
"""Access infos that are kept ready for the router."""
_TRUST_SECONDS = 30.0
"""After this time one that another process may have changed is read again: its hint may have got lost."""

_INSERT = statement(insert(access_infos))
_UPDATE = statement(
    update(access_infos)
    .where(access_infos.c.storage_no == bindparam("no"), access_infos.c.revision == bindparam("old_revision"))
    .values(
        revision=bindparam("new_revision"),
        key_id=bindparam("key_id"),
        ciphertext=bindparam("ciphertext"),
        plain=bindparam("plain"),
        updated_at=bindparam("updated_at"),
    )
)
_INSERT_ENDPOINT = statement(insert(access_endpoints))
_UPDATE_ENDPOINT = statement(
    update(access_endpoints)
    .where(access_endpoints.c.storage_no == bindparam("no"))
    .values(block=bindparam("block"), host=bindparam("host"), port=bindparam("port"), selector=bindparam("selector"))
)
_OF_STORAGE = statement(
    select(
        storages.c.no,
        storages.c.driver_vendor,
        storages.c.driver_model,
        access_infos.c.revision,
        access_infos.c.ciphertext,
        access_infos.c.created_at,
        access_infos.c.updated_at,
    )
    .select_from(storages.join(access_infos, access_infos.c.storage_no == storages.c.no))
    .where(storages.c.id == bindparam("id"), storages.c.deleted_at == 0)
)
PLAIN_COLUMNS = (
    storages.c.id,
    access_infos.c.plain,
    access_infos.c.revision,
    access_infos.c.created_at,
    access_infos.c.updated_at,
)
_PLAIN = statement(
    select(*PLAIN_COLUMNS)
    .select_from(storages.join(access_infos, access_infos.c.storage_no == storages.c.no))
    .where(storages.c.id == bindparam("id"), storages.c.deleted_at == 0)
)
_KEY_IDS = statement(select(access_infos.c.key_id).distinct())


@dataclass(frozen=True, slots=True)
class StoredAccess:
    """An access info with its secrets, and where it belongs."""

    storage_no: int
    storage_id: bytes
    pair: Pair
    revision: int
    message: access_pb2.AccessInfo


@dataclass(frozen=True, slots=True)
class Sealed:
    """An access info as it goes to the store."""

    key_id: str
    ciphertext: bytes
    plain: bytes


def key_ids(connection: Connection) -> set[bytes]:
    """Ids of the keys with which the store's credentials are encrypted."""
    return {bytes.fromhex(row[0]) for row in connection.all(_KEY_IDS)}


def plain_message(row: Row) -> access_pb2.AccessInfo:
    """The access info without secrets in a row of `PLAIN_COLUMNS`."""
    storage_id, plain, revision, created_at, updated_at = row
    message = access_pb2.AccessInfo.FromString(plain)
    message.storage_id = uuids.text(storage_id)
    _set_core(message, revision, created_at, updated_at)
    return message


def get_plain(connection: Connection, storage_id: str) -> access_pb2.AccessInfo:
    """The storage's access info without secrets, or ACCESS_INFO_NOT_FOUND."""
    parsed = uuids.parsed(storage_id)
    row = connection.one(_PLAIN, {"id": parsed}) if parsed is not None else None
    if row is None:
        raise CallError(
            "ACCESS_INFO_NOT_FOUND",
            f"No storage has the id {storage_id[:64]}, so there is no access info; list the storages.",
            metadata={"storage_id": storage_id[:64]},
        )
    return plain_message(row)


def add(connection: Connection, storage_no: int, sealed: Sealed, endpoint: Endpoint) -> None:
    """Stores the access info of a new storage."""
    connection.run(_INSERT, (storage_no, 1, sealed.key_id, sealed.ciphertext, sealed.plain, times.now(), 0))
    connection.run(_INSERT_ENDPOINT, (storage_no, endpoint.block, endpoint.host, endpoint.port, endpoint.selector))


def replace(connection: Connection, old: StoredAccess, sealed: Sealed, endpoint: Endpoint) -> bool:
    """Stores an access info in place of `old`. False: that one is there no more."""
    changed = connection.run(
        _UPDATE,
        {
            "no": old.storage_no,
            "old_revision": old.revision,
            "new_revision": old.revision + 1,
            "key_id": sealed.key_id,
            "ciphertext": sealed.ciphertext,
            "plain": sealed.plain,
            "updated_at": times.now(),
        },
    )
    if changed:
        connection.run(
            _UPDATE_ENDPOINT,
            {
                "no": old.storage_no,
                "block": endpoint.block,
                "host": endpoint.host,
                "port": endpoint.port,
                "selector": endpoint.selector,
            },
        )
        connection.signal(CHANGED)
    return bool(changed)


class AccessInfos:
    """Opens what is stored. The router's `TargetSource`."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self.vault = vault
        self._store = store
        self._kept: dict[str, tuple[float, ResolvedTarget]] = {}
        self._mark = store.signals.mark(CHANGED)
        self._trusted = float("inf") if store.dialect == "sqlite" else _TRUST_SECONDS

    async def resolve(self, storage_id: str, *, with_access: bool) -> ResolvedTarget:
        """As TargetSource says."""
        mark = self._store.signals.mark(CHANGED)
        if mark != self._mark:
            self._mark = mark
            self._kept.clear()
        kept = self._kept.get(storage_id)
        if kept is not None and time.monotonic() - kept[0] < self._trusted:
            return kept[1]
        stored = await self.load(storage_id)
        resolved = ResolvedTarget(stored.pair, stored.message, stored.revision)
        if self._store.signals.mark(CHANGED) == mark:
            if len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[storage_id] = (time.monotonic(), resolved)
        return resolved

    async def load(self, storage_id: str) -> StoredAccess:
        """The access info with its secrets, or STORAGE_NOT_FOUND."""
        parsed = uuids.parsed(storage_id)
        row = await self._store.read(lambda connection: connection.one(_OF_STORAGE, {"id": parsed})) if parsed else None
        if row is None or parsed is None:
            raise not_found(storage_id)
        no, vendor, model, revision, ciphertext, created_at, updated_at = row
        try:
            plain = self.vault.decrypt(parsed, bytes(ciphertext))
        except Undecryptable as error:
            raise CallError(
                "STORE_FAULT",
                f"The access info of storage {storage_id} can't be decrypted: {error}. Bring back the right key file,"
                " or remove the storage and register it again.",
                metadata={"storage_id": storage_id},
            ) from None
        message = access_pb2.AccessInfo.FromString(plain)
        message.storage_id, message.vendor, message.model = storage_id, vendor, model
        _set_core(message, revision, created_at, updated_at)
        return StoredAccess(no, parsed, Pair(vendor, model), revision, message)

    def seal(self, storage_id: bytes, access: access_pb2.AccessInfo, plain_keys: Collection[str]) -> Sealed:
        """The access info as it goes to the store."""
        kept = access_pb2.AccessInfo()
        kept.CopyFrom(access)
        for name in ("storage_id", "created_at", "updated_at", "revision"):
            kept.ClearField(name)
        return Sealed(
            key_id=self.vault.key_id.hex(),
            ciphertext=self.vault.encrypt(storage_id, kept.SerializeToString(deterministic=True)),
            plain=redacted(kept, plain_keys=plain_keys).SerializeToString(deterministic=True),
        )


def _set_core(message: access_pb2.AccessInfo, revision: int, created_at: int, updated_at: int) -> None:
    message.revision = revision
    message.created_at.FromMicroseconds(created_at)
    if updated_at:
        message.updated_at.FromMicroseconds(updated_at)
