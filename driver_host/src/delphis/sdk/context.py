"""What the host tells a driver about the call that it serves, and what the driver tells back beside its answer."""

from __future__ import annotations

import logging
import time
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from delphis.driver.v1 import storage_driver_pb2
from delphis.sdk import errors
from delphis.sdk.redaction import one_line
from delphis.type.v1 import errors_pb2

if TYPE_CHECKING:
    StorageLogger = logging.LoggerAdapter[logging.Logger]
else:
    StorageLogger = logging.LoggerAdapter

LOGGER = logging.getLogger("delphis.driver")
MOST_WARNINGS = 100


class _NamesStorage(StorageLogger):
    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        # As a field of the record: how it is told is the log's affair.
        return msg, {**kwargs, "extra": {**(self.extra or {}), **kwargs.get("extra", {})}}


class Context:
    """One call of a driver.

    Attributes:
        storage_id: Id of the storage that the call is about.
        logger: Writes to the host's log. Secrets of the access info are masked in it.
    """

    def __init__(self, storage_id: str = "", *, timeout: float = 600.0) -> None:
        """Made by the host; in a driver's own tests, by hand.

        Args:
            storage_id: Id of the storage.
            timeout: Seconds until the deadline.
        """
        self.storage_id = storage_id
        self.logger: StorageLogger = _NamesStorage(LOGGER, {"storage_id": storage_id})
        self._deadline = time.monotonic() + timeout
        self._cancelled = False
        self._complete = True
        self._warnings: list[storage_driver_pb2.Warning] = []
        self._warnings_left_out = 0

    @property
    def remaining(self) -> float:
        """Seconds until the caller is told that the array didn't answer; 0 when that has happened.

        Give it as the timeout of whatever waits for the array.
        """
        return max(0.0, self._deadline - time.monotonic())

    @property
    def cancelled(self) -> bool:
        """Nobody waits for the answer any more: the caller gave up, or the deadline passed."""
        return self._cancelled or self.remaining == 0.0

    def cancel(self) -> None:
        """Called by the host: nobody waits for the answer any more."""
        self._cancelled = True

    def check(self) -> None:
        """Raises `errors.ArrayTimeout` when nobody waits for the answer any more. For long loops."""
        if self.cancelled:
            raise errors.ArrayTimeout("The call was given up before the driver had an answer.")

    def warn(
        self,
        message: str,
        *,
        native_id: str = "",
        reason: type[errors.DriverError] | errors_pb2.Reason.ValueType | None = None,
    ) -> None:
        """Tells an operator something that is no error. It is sent with the answer.

        Args:
            message: One sentence: what, to what. Secrets of the access info are masked in it.
            native_id: The resource that it is about, if one.
            reason: The class of `delphis.sdk.errors`, or the value of `Reason`, that fits; None where none does.
        """
        if len(self._warnings) >= MOST_WARNINGS:
            self._warnings_left_out += 1
            return
        if isinstance(reason, type):
            reason = errors_pb2.Reason.Value(f"REASON_{reason.reason}")
        self._warnings.append(
            storage_driver_pb2.Warning(
                message=one_line(message), native_id=native_id, reason=reason or errors_pb2.REASON_UNSPECIFIED
            )
        )

    def warn_once(self, message: str, *, reason: type[errors.DriverError] | None = None) -> None:
        """As `warn`, unless the same has been said in this call."""
        said = one_line(message)
        if not any(warning.message == said for warning in self._warnings):
            self.warn(message, reason=reason)

    def incomplete(
        self,
        message: str,
        *,
        native_id: str = "",
        reason: type[errors.DriverError] | errors_pb2.Reason.ValueType | None = None,
    ) -> None:
        """Says that a list lacks something that the array has: then nothing is removed from the inventory.

        Args:
            message: What could not be read, and why.
            native_id: The resource that is missing or half read, if its id is known.
            reason: As for `warn`.
        """
        self._complete = False
        self.warn(message, native_id=native_id, reason=reason)

    @property
    def is_complete(self) -> bool:
        """`incomplete` was not called."""
        return self._complete

    @property
    def warnings(self) -> list[storage_driver_pb2.Warning]:
        """What was said with `warn` and `incomplete`; of more than 100 the first, and how many were left out."""
        if not self._warnings_left_out:
            return list(self._warnings)
        left_out = storage_driver_pb2.Warning(message=f"{self._warnings_left_out} more warnings were left out.")
        return [*self._warnings, left_out]
