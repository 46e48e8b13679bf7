"""The session with an array's SNMP agent."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from delphis.sdk import errors
from delphis.sdk.context import Context
from delphis.sdk.recording.hook import SnmpVariable, recorder
from delphis.sdk.snmp.access import SnmpAccess
from delphis.sdk.snmp.variable import Row, Tag, Variable, numbers
from delphis.type.v1.alert_pb2 import SnmpVersion

if TYPE_CHECKING:
    from delphis.sdk.snmp.engine import Engine

TOO_BIG, NO_SUCH_NAME = 1, 2
_DENIED = frozenset({6, 16})
_BULK = 25


class SnmpSession:
    """One agent. Several threads may use an object at a time."""

    def __init__(self, access: SnmpAccess) -> None:
        """
        Args:
            access: How to reach the agent, secrets included.

        Raises:
            errors.AccessInfoIncomplete: Something in it is missing or can't be used.
            errors.InvalidIpOrPort: The port can be none.
        """
        access.check()
        self.access = access
        self._lock = threading.Lock()
        self._made: Engine | None = None

    def close(self) -> None:
        """Closes the socket. For `StorageDriver.close`."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()

    def get(self, context: Context, *oids: str) -> list[Variable]:
        """Reads variables, in one request.

        Args:
            context: The call that they are read for; its deadline bounds everything.
            oids: In dots, instances included (`….0` of scalars).

        Returns:
            As many variables, in order. One that the agent doesn't have says so (`exists`), in all versions of SNMP.

        Raises:
            errors.DriverError: `ArrayUnreachable` (no answer; wrong communities are answered by nobody),
                `InvalidUsernameOrPassword` (v3), `ArrayPermissionDenied`, `StorageBackendException`, `ArrayTimeout`.
            ValueError: A text is no OID.
        """
        asked = [".".join(map(str, numbers(oid))) for oid in oids]
        missing: set[str] = set()
        found: dict[str, Variable] = {}
        while left := [oid for oid in asked if oid not in missing]:
            from delphis.sdk.snmp.engine import Status

            try:
                found = {variable.oid: variable for variable in self._engine().ask(context, "get", left)}
                break
            except Status as status:
                # SNMPv1 answers nothing at all where it lacks one variable; it is asked for the others.
                if status.code != NO_SUCH_NAME or not 0 < status.index <= len(left):
                    raise self._failure(status.code) from None
                missing.add(left[status.index - 1])
        self._record(found.values())
        return [found.get(oid, Variable(oid, Tag.NO_SUCH_OBJECT, None)) for oid in asked]

    def walk(self, context: Context, oid: str, *, most: int = 200_000) -> Iterator[Variable]:
        """Reads all variables under an OID, in order; many a request, except over SNMPv1.

        Args:
            context: The call that they are read for.
            oid: In dots.
            most: Variables that are read; more are an error.

        Yields:
            The variables under it; none where the agent has none.

        Raises:
            errors.BadResponse: The agent goes round in circles, or has more than `most`.
            errors.DriverError: As for `get`.
            ValueError: The text is no OID.
        """
        root = numbers(oid)
        last, repetitions, count = root, _BULK, 0
        while True:
            from delphis.sdk.snmp.engine import Status

            name = ".".join(map(str, last))
            try:
                if self.access.version == SnmpVersion.SNMP_VERSION_SNMPV1:
                    answer = self._engine().ask(context, "next", [name])
                else:
                    answer = self._engine().ask(context, "bulk", [name], repetitions=repetitions)
            except Status as status:
                if status.code == NO_SUCH_NAME:
                    return
                if status.code == TOO_BIG and repetitions > 1:
                    repetitions //= 2
                    continue
                raise self._failure(status.code) from None
            if not answer:
                return
            for variable in answer:
                place = numbers(variable.oid)
                if variable.tag == Tag.END_OF_MIB_VIEW or place[: len(root)] != root:
                    return
                if place <= last:
                    raise errors.BadResponse(
                        f"The SNMP agent at {self.access.label} goes round in circles: {variable.oid} follows"
                        f" {'.'.join(map(str, last))}.",
                        oid=variable.oid,
                    )
                last, count = place, count + 1
                if count > most:
                    raise errors.BadResponse(
                        f"The SNMP agent at {self.access.label} has more than {most} variables under {oid}.", oid=oid
                    )
                self._record([variable])
                yield variable

    def table(self, context: Context, entry: str, columns: Mapping[str, int], *, most_rows: int = 50_000) -> list[Row]:
        """Reads columns of a table.

        Args:
            context: The call that they are read for.
            entry: The OID of the table's entry, such as `1.3.6.1.2.1.2.2.1`.
            columns: The columns' numbers, by the names that the rows give them.
            most_rows: More are an error.

        Returns:
            The rows, by index. A row is there if any of its cells is.

        Raises:
            errors.DriverError: As for `walk`.
        """
        rows: dict[tuple[int, ...], dict[str, Variable]] = {}
        for name, number in columns.items():
            column = (*numbers(entry), number)
            for variable in self.walk(context, ".".join(map(str, column)), most=most_rows):
                rows.setdefault(numbers(variable.oid)[len(column) :], {})[name] = variable
        return [Row(index, rows[index]) for index in sorted(rows)]

    def _engine(self) -> Engine:
        with self._lock:
            if self._made is None:
                from delphis.sdk.snmp.engine import Engine  # loads `pysnmp`

                self._made = Engine(self.access)
            return self._made

    def _failure(self, status: int) -> errors.DriverError:
        at = self.access.label
        if status in _DENIED:
            return errors.ArrayPermissionDenied(f"The SNMP agent at {at} doesn't let us read this.", status=status)
        return errors.StorageBackendException(
            f"The SNMP agent at {at} answered with error status {status}.", status=status
        )

    def _record(self, variables: Iterable[Variable]) -> None:
        if (tape := recorder()) is None:
            return
        for variable in variables:
            if variable.exists:
                value = variable.value if isinstance(variable.value, bytes) else str(variable.value).encode()
                tape.record(SnmpVariable(variable.oid, int(variable.tag), value))
