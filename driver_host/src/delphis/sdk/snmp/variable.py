"""What an agent answers."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from delphis.sdk import errors


class Tag(enum.IntEnum):
    """Types of values, as BER numbers them."""

    INTEGER = 2
    OCTETS = 4
    NULL = 5
    OBJECT_ID = 6
    IP_ADDRESS = 64
    COUNTER32 = 65
    GAUGE32 = 66
    TIME_TICKS = 67
    OPAQUE = 68
    COUNTER64 = 70
    NO_SUCH_OBJECT = 128
    NO_SUCH_INSTANCE = 129
    END_OF_MIB_VIEW = 130


ABSENT = frozenset({Tag.NULL, Tag.NO_SUCH_OBJECT, Tag.NO_SUCH_INSTANCE, Tag.END_OF_MIB_VIEW})


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable and its value.

    Attributes:
        oid: In dots, without one before it.
        tag: The value's type.
        value: Of integers, counters, gauges and time ticks (hundredths of a second): an int. Of octets and opaque: the
            bytes. Of object ids and addresses: text. None where the agent has no value.
    """

    oid: str
    tag: Tag
    value: int | bytes | str | None

    @property
    def exists(self) -> bool:
        """The agent has it."""
        return self.tag not in ABSENT

    @property
    def integer(self) -> int:
        """The value, of the types that are numbers.

        Raises:
            errors.BadResponse: It is of another type.
        """
        if not isinstance(self.value, int):
            raise errors.BadResponse(f"The array's variable {self.oid} is of type {self.tag.name}, and no number.")
        return self.value

    @property
    def text(self) -> str:
        """The value as text; octets as UTF-8 without a NUL at their end, bytes that are none are replaced.

        Raises:
            errors.BadResponse: The agent has no such variable.
        """
        if self.value is None:
            raise errors.BadResponse(f"The array has no variable {self.oid}.", oid=self.oid)
        if isinstance(self.value, bytes):
            return self.value.rstrip(b"\0").decode("utf-8", "replace")
        return str(self.value)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        index: The numbers that follow the column in the OIDs.
        values: By column; a cell that the agent left out is not there.
    """

    index: tuple[int, ...]
    values: Mapping[str, Variable]

    def __getitem__(self, column: str) -> Variable:
        """The cell.

        Raises:
            errors.InvalidResults: The row has none in this column.
        """
        if column not in self.values:
            where = ".".join(map(str, self.index))
            raise errors.InvalidResults(f"The array's table has no {column!r} in row {where}.", column=column)
        return self.values[column]


def numbers(oid: str) -> tuple[int, ...]:
    """An OID as numbers.

    Raises:
        ValueError: It is none.
    """
    parts = oid.strip(".").split(".")
    if len(parts) < 2 or not all(part.isascii() and part.isdigit() and len(part) <= 10 for part in parts):
        raise ValueError(f"{oid!r} is no object identifier")
    return tuple(map(int, parts))
