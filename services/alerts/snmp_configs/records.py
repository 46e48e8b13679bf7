"""SNMP configurations in the store. Their secrets are encrypted, each for its storage alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import bindparam, delete, insert, select, update

from delphis.alert.v1 import snmp_config_pb2
from delphis.type.v1 import alert_pb2
from services.alerts.schema.traps import snmp_configs
from services.alerts.snmp_configs.merging import Given
from services.store.connection import Connection
from services.store.statement import statement
from services.values import times, uuids

_COLUMNS = (
    *("storage_id", "config", "secrets", "reachability", "checked_at", "receiver_state", "receiver_problem", "told"),
    *("retry_at", "created_at", "updated_at"),
)
_SELECT = select(*(snmp_configs.c[name] for name in _COLUMNS))
_ALL = statement(_SELECT.order_by(snmp_configs.c.storage_id))
_ONE = statement(_SELECT.where(snmp_configs.c.storage_id == bindparam("storage_id")))
_PAGE = statement(
    _SELECT.where(snmp_configs.c.storage_id > bindparam("after"))
    .order_by(snmp_configs.c.storage_id)
    .limit(bindparam("count"))
)
_INSERT = statement(insert(snmp_configs).values({name: bindparam(name) for name in _COLUMNS}))
_DELETE = statement(delete(snmp_configs).where(snmp_configs.c.storage_id == bindparam("storage_id")))
_CHECKED = statement(
    update(snmp_configs)
    .where(snmp_configs.c.storage_id == bindparam("key"), snmp_configs.c.updated_at == bindparam("version"))
    .values(reachability=bindparam("reachability"), checked_at=bindparam("checked_at"), config=bindparam("config"))
)
_TOLD = statement(
    update(snmp_configs)
    .where(snmp_configs.c.storage_id == bindparam("key"), snmp_configs.c.updated_at == bindparam("version"))
    .values(
        receiver_state=bindparam("receiver_state"),
        receiver_problem=bindparam("receiver_problem"),
        told=bindparam("told"),
        retry_at=bindparam("retry_at"),
    )
)
_KEYS = statement(select(snmp_configs.c.secrets))

NOT_CHECKED = snmp_config_pb2.SNMP_REACHABILITY_NOT_CHECKED
NOT_CONFIGURED = snmp_config_pb2.TRAP_RECEIVER_STATE_NOT_CONFIGURED


class Cipher(Protocol):
    """The vault."""

    def encrypt(self, owner: bytes, plain: bytes) -> bytes:
        """The ciphertext."""
        ...

    def decrypt(self, owner: bytes, ciphertext: bytes) -> bytes:
        """What was encrypted."""
        ...


@dataclass(frozen=True, slots=True)
class StoredConfig:
    """A storage's configuration, with what came of it. Times are microseconds."""

    storage_id: str
    config: snmp_config_pb2.SnmpConfig
    """What an operator set."""
    ciphertext: bytes = field(repr=False)
    reachability: int = NOT_CHECKED
    checked_at: int = 0
    receiver_state: int = NOT_CONFIGURED
    receiver_problem: str = ""
    told: bytes = b""
    retry_at: int = 0
    created_at: int = 0
    updated_at: int = 0

    @property
    def v3(self) -> bool:
        """Whether it is about SNMPv3."""
        return self.config.version == alert_pb2.SNMP_VERSION_SNMPV3

    def opened(self, cipher: Cipher) -> Given:
        """With its secrets. Undecryptable where the key is another one."""
        plain = cipher.decrypt(_bytes(self.storage_id), self.ciphertext)
        return Given(self.config, snmp_config_pb2.PutSnmpConfigRequest.FromString(plain))

    def shown(self) -> snmp_config_pb2.SnmpConfig:
        """For callers: without secrets."""
        shown = snmp_config_pb2.SnmpConfig()
        shown.CopyFrom(self.config)
        shown.storage_id = self.storage_id
        shown.reachability = self.reachability  # type: ignore[assignment]
        shown.trap_receiver_state = self.receiver_state  # type: ignore[assignment]
        if self.receiver_problem:
            shown.trap_receiver_problem = self.receiver_problem
        for name, at in (("created_at", self.created_at), ("updated_at", self.updated_at)):
            getattr(shown, name).CopyFrom(times.stamp(at))
        if self.checked_at:
            shown.checked_at.CopyFrom(times.stamp(self.checked_at))  # type: ignore[arg-type]
        return shown


def sealed(given: Given, storage_id: str, cipher: Cipher) -> bytes:
    """The secrets, encrypted."""
    return cipher.encrypt(_bytes(storage_id), given.secrets.SerializeToString())


def read_all(connection: Connection) -> list[StoredConfig]:
    """All of them."""
    return [_stored(row) for row in connection.all(_ALL)]


def read(connection: Connection, storage_id: str) -> StoredConfig | None:
    """That of a storage."""
    row = connection.one(_ONE, {"storage_id": _bytes(storage_id)})
    return None if row is None else _stored(row)


def page(connection: Connection, after: bytes, count: int) -> list[StoredConfig]:
    """The next ones, by storage."""
    return [_stored(row) for row in connection.all(_PAGE, {"after": after, "count": count})]


def put(connection: Connection, stored: StoredConfig) -> None:
    """Writes it in the place of the one before."""
    remove(connection, stored.storage_id)
    connection.run(
        _INSERT,
        {
            "storage_id": _bytes(stored.storage_id),
            "config": stored.config.SerializeToString(),
            "secrets": stored.ciphertext,
            "reachability": stored.reachability,
            "checked_at": stored.checked_at,
            "receiver_state": stored.receiver_state,
            "receiver_problem": stored.receiver_problem,
            "told": stored.told,
            "retry_at": stored.retry_at,
            "created_at": stored.created_at,
            "updated_at": stored.updated_at,
        },
    )


def remove(connection: Connection, storage_id: str) -> bool:
    """Whether there was one."""
    return connection.run(_DELETE, {"storage_id": _bytes(storage_id)}) > 0


def checked(connection: Connection, stored: StoredConfig) -> bool:
    """Writes what a check found, unless the configuration is another one by now."""
    values = {
        "key": _bytes(stored.storage_id),
        "version": stored.updated_at,
        "reachability": stored.reachability,
        "checked_at": stored.checked_at,
        "config": stored.config.SerializeToString(),
    }
    return connection.run(_CHECKED, values) > 0


def told(connection: Connection, stored: StoredConfig) -> bool:
    """Writes what the array was told, unless the configuration is another one by now."""
    values = {
        "key": _bytes(stored.storage_id),
        "version": stored.updated_at,
        "receiver_state": stored.receiver_state,
        "receiver_problem": stored.receiver_problem,
        "told": stored.told,
        "retry_at": stored.retry_at,
    }
    return connection.run(_TOLD, values) > 0


def ciphertexts(connection: Connection) -> list[bytes]:
    """All that is encrypted, to see which keys it names."""
    return [bytes(row[0]) for row in connection.all(_KEYS)]


def _stored(row: tuple[Any, ...]) -> StoredConfig:
    return StoredConfig(
        storage_id=uuids.text(row[0]),
        config=snmp_config_pb2.SnmpConfig.FromString(bytes(row[1])),
        ciphertext=bytes(row[2]),
        reachability=row[3],
        checked_at=row[4],
        receiver_state=row[5],
        receiver_problem=row[6],
        told=bytes(row[7]),
        retry_at=row[8],
        created_at=row[9],
        updated_at=row[10],
    )


def _bytes(storage_id: str) -> bytes:
    found = uuids.parsed(storage_id)
    if found is None:
        raise ValueError(f"{storage_id!r} is no id of a storage")
    return found
