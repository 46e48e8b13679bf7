"""Users of SNMPv3. Several arrays may have one user name, with other passwords or the same ones."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from delphis.type.v1 import alert_pb2
from services.snmp import privacy, usm
from services.snmp.errors import Reason, SnmpError
from services.snmp.privacy import KeyExtension, PrivProtocol
from services.snmp.usm import AuthProtocol

_MOST_REMEMBERED = 16_384


class SecurityLevel(enum.IntEnum):
    """What a user's messages have to be; values are the contract's."""

    NO_AUTH_NO_PRIV = alert_pb2.SNMP_SECURITY_LEVEL_NO_AUTH_NO_PRIV
    AUTH_NO_PRIV = alert_pb2.SNMP_SECURITY_LEVEL_AUTH_NO_PRIV
    AUTH_PRIV = alert_pb2.SNMP_SECURITY_LEVEL_AUTH_PRIV


LEVELS = {0: SecurityLevel.NO_AUTH_NO_PRIV, 1: SecurityLevel.AUTH_NO_PRIV, 3: SecurityLevel.AUTH_PRIV}


class Credentials(NamedTuple):
    """Protocols and passwords; all None for a user without authentication."""

    auth: AuthProtocol | None
    auth_password: bytes
    privacy: PrivProtocol | None
    privacy_password: bytes
    extension: KeyExtension | None

    def __repr__(self) -> str:
        return f"<credentials: {self.auth}, {self.privacy}>"

    @property
    def level(self) -> SecurityLevel:
        """The level that these allow, and ask for."""
        if self.auth is None:
            return SecurityLevel.NO_AUTH_NO_PRIV
        return SecurityLevel.AUTH_NO_PRIV if self.privacy is None else SecurityLevel.AUTH_PRIV


@dataclass(frozen=True, slots=True)
class User:
    """One array's user. ValueError where it can't be, naming the field and never a password."""

    owner: str
    """Whose user it is: what a notification's `owners` name."""
    name: str
    auth: AuthProtocol | None = None
    auth_password: str = field(default="", repr=False)
    privacy: PrivProtocol | None = None
    privacy_password: str = field(default="", repr=False)
    engine_id: bytes = b""
    """Of the array; empty: any. Informs don't name it."""
    extension: KeyExtension | None = None
    """Of AES-192 and -256 keys; None: both are tried."""

    def __post_init__(self) -> None:
        if not 0 < len(self.name.encode()) <= 32:
            raise ValueError("name: has 1 to 32 octets")
        if self.privacy is not None and self.auth is None:
            raise ValueError("privacy: needs authentication")
        for what, protocol, password in (
            ("auth_password", self.auth, self.auth_password),
            ("privacy_password", self.privacy, self.privacy_password),
        ):
            if protocol is not None and len(password.encode()) < usm.LEAST_PASSWORD:
                raise ValueError(f"{what}: has at least {usm.LEAST_PASSWORD} octets")
        if self.engine_id and not 5 <= len(self.engine_id) <= 32:
            raise ValueError("engine_id: has 5 to 32 octets")

    @property
    def credentials(self) -> Credentials:
        """Without what isn't used."""
        if self.auth is None:
            return Credentials(None, b"", None, b"", None)
        if self.privacy is None:
            return Credentials(self.auth, self.auth_password.encode(), None, b"", None)
        return Credentials(
            self.auth, self.auth_password.encode(), self.privacy, self.privacy_password.encode(), self.extension
        )


class Keys:
    """A user's keys at one engine."""

    __slots__ = ("auth", "ciphers", "level", "owners")

    def __init__(self, credentials: Credentials, owners: tuple[str, ...], engine_id: bytes) -> None:
        self.owners = owners
        self.level = credentials.level
        self.auth: usm.AuthKey | None = None
        self.ciphers: list[privacy.PrivKey] = []
        """What to decrypt with: the one that fitted last comes first."""
        if credentials.auth is None:
            return
        name = usm.HASHES[credentials.auth]
        key = usm.password_key(credentials.auth, credentials.auth_password)
        self.auth = usm.AuthKey(credentials.auth, usm.localised(name, key, engine_id))
        if credentials.privacy is None:
            return
        key = usm.password_key(credentials.auth, credentials.privacy_password)
        size = privacy.KEY_OCTETS[credentials.privacy]
        possible = privacy.extensions(credentials.auth, credentials.privacy)
        chosen = (credentials.extension,) if credentials.extension and len(possible) > 1 else possible
        for extension in chosen:
            longer = privacy.extended(name, key, engine_id, size, extension)
            self.ciphers.append(privacy.priv_key(credentials.privacy, longer))


class UserTable:
    """All users. Made anew when they change; what passwords make is remembered beyond that."""

    def __init__(self, users: Iterable[User] = ()) -> None:
        owners: dict[tuple[bytes, bytes, Credentials], list[str]] = {}
        for user in users:
            held = owners.setdefault((user.name.encode(), user.engine_id, user.credentials), [])
            if user.owner not in held:
                held.append(user.owner)
        self._by_name: dict[bytes, list[tuple[bytes, Credentials, tuple[str, ...]]]] = {}
        for (name, engine_id, credentials), held in owners.items():
            self._by_name.setdefault(name, []).append((engine_id, credentials, tuple(held)))
        self._remembered: dict[tuple[bytes, bytes], list[Keys]] = {}

    def __bool__(self) -> bool:
        """Whether there is any user."""
        return bool(self._by_name)

    def prepare(self) -> None:
        """Makes the keys of all passwords: a millisecond each, better spent in a thread than at the first trap."""
        for candidates in self._by_name.values():
            for _, credentials, _ in candidates:
                if credentials.auth is not None:
                    usm.password_key(credentials.auth, credentials.auth_password)
                    if credentials.privacy is not None:
                        usm.password_key(credentials.auth, credentials.privacy_password)

    def keys(self, engine_id: bytes, name: bytes, *, ours: bool) -> list[Keys]:
        """All keys that a message of that user may be made with, the likeliest first.

        Those of users with this very engine id come before those of users with none. With `ours`, engine ids don't
        matter: keys are made for our engine, and it isn't known which array asks. SnmpError UNKNOWN_USER.
        """
        found = self._remembered.get((engine_id, name))
        if found is not None:
            return found
        candidates = self._by_name.get(name, [])
        if ours:
            merged: dict[Credentials, list[str]] = {}
            for _, credentials, owners in candidates:
                held = merged.setdefault(credentials, [])
                held.extend(owner for owner in owners if owner not in held)
            chosen = [(credentials, tuple(held)) for credentials, held in merged.items()]
        else:
            exact = [(credentials, owners) for at, credentials, owners in candidates if at == engine_id]
            chosen = exact + [(credentials, owners) for at, credentials, owners in candidates if not at]
        if not chosen:
            raise SnmpError(Reason.UNKNOWN_USER, "no such user at that engine")
        if len(self._remembered) >= _MOST_REMEMBERED:
            self._remembered.clear()
        found = self._remembered[engine_id, name] = [
            Keys(credentials, owners, engine_id) for credentials, owners in chosen
        ]
        return found
