"""The driver's object of one array: made with a login, called once at a time, thrown away after a failure.

Such drivers keep the session's state between calls, and some are beyond repair once a request failed. A new object is
dearer, but always right.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from delphis.delfin import access, deadlines, failures
from delphis.sdk import AccessInfo, Context, errors


class RequestContext:
    """What such drivers get as `context`."""

    def __init__(self, storage_id: str) -> None:
        self.storage_id = storage_id
        self.is_admin = True
        self.request_id = None


class Instance:
    """One array's object, or none at the moment."""

    def __init__(self, driver: type[Any], access_info: AccessInfo) -> None:
        self._driver = driver
        self._access_info = access_info
        self._lock = threading.Lock()
        self._idle: Any = None
        self._closed = False
        self.request = RequestContext(access_info.storage_id)

    def log_in(self, context: Context) -> None:
        """Makes the object, whose constructor logs in."""
        self._put_back(self._made(context))

    def call(self, context: Context, name: str, *arguments: Any) -> Any:
        """Calls a method; generators are read to their end. Failures are ours, where they name something we know."""
        taken = self._take() or self._made(context)
        try:
            with deadlines.until(context.remaining):
                found = getattr(taken, name)(self.request, *arguments)
                if isinstance(found, Iterator):
                    found = list(found)
        except NotImplementedError as error:
            self._put_back(taken)
            raise errors.NotSupported(str(error) or f"The driver has no {name} for this array.") from error
        except BaseException as error:
            self._discard(taken, context)
            known = failures.understood(error)
            if known is error:
                raise
            raise known from error
        if context.cancelled:
            # Whoever called has given up; another object may serve the array by now.
            self._discard(taken, context)
        else:
            self._put_back(taken)
        return found

    def close(self, context: Context) -> None:
        """Logs out."""
        with self._lock:
            self._closed = True
            taken, self._idle = self._idle, None
        if taken is not None:
            self._log_out(taken, context)

    def _take(self) -> Any:
        with self._lock:
            taken, self._idle = self._idle, None
        return taken

    def _put_back(self, taken: Any) -> None:
        with self._lock:
            if self._idle is None and not self._closed:
                self._idle = taken
                return
        self._discard(taken, Context(self.request.storage_id, timeout=10))

    def _discard(self, taken: Any, context: Context) -> None:
        try:
            self._log_out(taken, context)
        except Exception as error:  # noqa: BLE001 - the session is lost either way
            context.logger.info("a session could not be ended: %s: %s", type(error).__name__, error)

    def _made(self, context: Context) -> Any:
        arguments = access.arguments(self._access_info, Path.cwd(), context.remaining)
        try:
            with deadlines.until(context.remaining):
                return self._driver(**arguments)
        except Exception as error:
            known = failures.understood(error)
            if known is error:
                raise
            raise known from error

    def _log_out(self, taken: Any, context: Context) -> None:
        with deadlines.until(min(10.0, context.remaining)):
            log_out = _log_out_of(taken)
            if log_out is not None:
                log_out()


def _log_out_of(taken: Any) -> Any:
    """What ends an object's session, as far as it can be known: arrays allow few sessions."""
    for name in ("close_connection", "logout", "close"):
        if callable(found := getattr(taken, name, None)):
            return found
    inner = getattr(taken, "__dict__", {})
    for part in inner.values() if isinstance(inner, Mapping) else ():
        if callable(found := getattr(part, "logout", None)):
            return found
    return None
