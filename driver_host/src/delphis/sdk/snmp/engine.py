"""Asks agents with pysnmp, whose event loop runs in a thread of its own. Loads that library; nothing else does."""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from delphis.sdk import errors
from delphis.sdk.context import Context
from delphis.sdk.snmp.access import SnmpAccess
from delphis.sdk.snmp.variable import Tag, Variable
from delphis.type.v1.alert_pb2 import SnmpSecurityLevel, SnmpVersion

T = TypeVar("T")
library: Any = importlib.import_module("pysnmp.hlapi.v3arch.asyncio")  # it has no complete types

# In the order of the contract's enums, from 2.
_AUTH = (
    library.USM_AUTH_HMAC96_MD5,
    library.USM_AUTH_HMAC96_SHA,
    library.USM_AUTH_HMAC128_SHA224,
    library.USM_AUTH_HMAC192_SHA256,
    library.USM_AUTH_HMAC256_SHA384,
    library.USM_AUTH_HMAC384_SHA512,
)
_PRIVACY = (
    library.USM_PRIV_CBC56_DES,
    library.USM_PRIV_CBC168_3DES,
    library.USM_PRIV_CFB128_AES,
    library.USM_PRIV_CFB192_AES,
    library.USM_PRIV_CFB256_AES,
)
_TYPES = {
    "Integer": Tag.INTEGER,
    "Integer32": Tag.INTEGER,
    "OctetString": Tag.OCTETS,
    "Null": Tag.NULL,
    "ObjectIdentifier": Tag.OBJECT_ID,
    "IpAddress": Tag.IP_ADDRESS,
    "Counter32": Tag.COUNTER32,
    "Gauge32": Tag.GAUGE32,
    "Unsigned32": Tag.GAUGE32,
    "TimeTicks": Tag.TIME_TICKS,
    "Opaque": Tag.OPAQUE,
    "Counter64": Tag.COUNTER64,
    "NoSuchObject": Tag.NO_SUCH_OBJECT,
    "NoSuchInstance": Tag.NO_SUCH_INSTANCE,
    "EndOfMibView": Tag.END_OF_MIB_VIEW,
}
_REFUSED = frozenset({"UnknownUserName", "WrongDigest", "AuthenticationFailure", "AuthenticationError"})
_USELESS = frozenset(
    {
        "UnsupportedSecurityLevel",
        "DecryptionError",
        "EncryptionError",
        "UnsupportedAuthProtocol",
        "UnsupportedPrivProtocol",
    }
)


class Status(Exception):
    """An agent answered with an error status.

    Attributes:
        code: Of RFC 3416: 1 tooBig, 2 noSuchName, 5 genErr, 6 noAccess, 16 authorizationError.
        index: The variable that it is about, from 1; 0: none.
    """

    def __init__(self, code: int, index: int) -> None:
        super().__init__(code, index)
        self.code = code
        self.index = index


class _Loop:
    """The event loop of this process's SNMP."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, T], timeout: float) -> T:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="snmp", daemon=True).start()
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise


LOOP = _Loop()


class Engine:
    """Asks one agent. Each has an engine of its own: two arrays may know one user by different keys."""

    def __init__(self, access: SnmpAccess) -> None:
        self._access = access
        self._where: dict[str, Any] = {"host": access.host, "port": access.port}
        self._credentials = self._make_credentials()
        self._engine: Any = None
        self._target: Any = None

    def ask(self, context: Context, verb: str, oids: Sequence[str], *, repetitions: int = 0) -> list[Variable]:
        """Sends a request, and again where no answer comes.

        Args:
            context: The call that waits for it.
            verb: `get`, `next` or `bulk`.
            oids: What is asked for.
            repetitions: Of `bulk`: how many variables are answered at most.

        Raises:
            Status: The agent says that it can't.
            errors.DriverError: It didn't answer, or refused us.
        """
        context.check()
        try:
            failure, status, index, found = LOOP.run(self._ask(verb, oids, repetitions), context.remaining)
        except (TimeoutError, concurrent.futures.TimeoutError):
            raise errors.ArrayTimeout(f"The agent at {self._access.label} hadn't answered by the deadline.") from None
        except errors.DriverError:
            raise
        except Exception as error:  # noqa: BLE001 - the library raises what its parsers raise
            raise self._failure(type(error).__name__) from None
        if failure:
            raise self._failure(type(failure).__name__)
        if int(status):
            raise Status(int(status), int(index))
        return [self._variable(oid, value) for oid, value in found]

    def close(self) -> None:
        """Closes the socket."""
        if self._engine is not None:
            LOOP.run(self._close(), 5.0)

    async def _close(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close_dispatcher()

    async def _ask(self, verb: str, oids: Sequence[str], repetitions: int) -> Any:
        if self._engine is None:
            target = library.Udp6TransportTarget if ":" in self._access.host else library.UdpTransportTarget
            try:
                self._target = await target.create(
                    (self._access.host, self._access.port), timeout=self._access.timeout, retries=self._access.retries
                )
            except Exception:  # noqa: BLE001 - of name resolution, wrapped by the library
                raise errors.InvalidIpOrPort(
                    f"The host name {self._access.host!r} is not known.", **self._where
                ) from None
            self._engine = library.SnmpEngine()
        variables = [library.ObjectType(library.ObjectIdentity(oid)) for oid in oids]
        parts = (
            self._engine,
            self._credentials,
            self._target,
            library.ContextData(contextName=self._access.context_name),
        )
        if verb == "bulk":
            return await library.bulk_cmd(*parts, 0, repetitions, *variables, lookupMib=False)
        command = library.get_cmd if verb == "get" else library.next_cmd
        return await command(*parts, *variables, lookupMib=False)

    def _make_credentials(self) -> Any:
        access = self._access
        if access.version != SnmpVersion.SNMP_VERSION_SNMPV3:
            model = 0 if access.version == SnmpVersion.SNMP_VERSION_SNMPV1 else 1
            return library.CommunityData(access.community, mpModel=model)
        options: dict[str, Any] = {}
        if access.level >= SnmpSecurityLevel.SNMP_SECURITY_LEVEL_AUTH_NO_PRIV:
            options["authKey"] = access.auth_key
            options["authProtocol"] = self._protocol(_AUTH, access.auth_protocol or 3, "auth_protocol")
        if access.level >= SnmpSecurityLevel.SNMP_SECURITY_LEVEL_AUTH_PRIV:
            options["privKey"] = access.privacy_key
            options["privProtocol"] = self._protocol(_PRIVACY, access.privacy_protocol or 4, "privacy_protocol")
        return library.UsmUserData(access.username, **options)

    def _protocol(self, known: tuple[Any, ...], number: int, field: str) -> Any:
        if not 2 <= number < 2 + len(known):
            raise errors.AccessInfoIncomplete(f"This driver host doesn't know SNMP's {field} {number}.", field=field)
        return known[number - 2]

    def _failure(self, name: str) -> errors.DriverError:
        at = self._access.label
        where: dict[str, Any] = {**self._where, "detail": name}
        if name == "RequestTimedOut":
            hint = (
                "it is off, or drops requests with another version, user or key"
                if self._access.username
                else "it is off, or drops requests with another community or version"
            )
            tries = self._access.retries + 1
            return errors.ArrayUnreachable(f"No SNMP agent answers at {at} in {tries} tries: {hint}.", **where)
        if name in _REFUSED:
            return errors.InvalidUsernameOrPassword(
                f"The SNMP agent at {at} refused the user {self._access.username!r} or the key: {name}.", **where
            )
        if name in _USELESS:
            return errors.InvalidCredential(f"The SNMP agent at {at} and we agree on no security: {name}.", **where)
        return errors.BadResponse(f"The answer of the SNMP agent at {at} can't be used: {name}.", **where)

    def _variable(self, oid: Any, value: Any) -> Variable:
        tag = _TYPES.get(type(value).__name__)
        if tag is None:
            raise self._failure(f"a value of type {type(value).__name__}")
        plain: int | bytes | str | None
        match tag:
            case Tag.OCTETS | Tag.OPAQUE:
                plain = bytes(value.asOctets())
            case Tag.OBJECT_ID:
                plain = ".".join(map(str, tuple(value)))
            case Tag.IP_ADDRESS:
                plain = ".".join(map(str, value.asOctets()))
            case Tag.NULL | Tag.NO_SUCH_OBJECT | Tag.NO_SUCH_INSTANCE | Tag.END_OF_MIB_VIEW:
                plain = None
            case _:
                plain = int(value)
        return Variable(".".join(map(str, tuple(oid))), tag, plain)
