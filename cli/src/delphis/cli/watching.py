"""A stream of changes, or of events, that goes on where it was when the server or the network comes back."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import click
import grpc
from google.protobuf.message import Message

from delphis.cli.connection import Connection
from delphis.cli.failures import CallFailed, WrongSettings

Item = TypeVar("Item", bound=Message)

START = "start"
"""The place before the oldest that is kept."""
SILENCE = 60.0
"""Seconds without a sign of life after which the stream is given up; the server gives one every 15 s."""
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 15.0
_AGAIN = frozenset({"SERVICE_UNAVAILABLE", "TOO_MANY_REQUESTS", "DEADLINE_EXCEEDED", "STORE_FAULT"})


class Place:
    """Where a watch is: in memory, and in a file if there is one."""

    def __init__(self, file: Path | None, *, first: str) -> None:
        self._file = file
        self.token = first or self._read()

    def _read(self) -> str:
        if self._file is None:
            return ""
        try:
            return self._file.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it holds no place"
            raise WrongSettings(f"--state-file {self._file} can't be read: {why}") from None

    def move(self, token: str) -> None:
        """The place is behind the changes that came with the token."""
        if token == self.token:
            return
        self.token = token
        if self._file is None:
            return
        try:
            # A half-written place would be no place: the file is replaced at once.
            with tempfile.NamedTemporaryFile(
                "w", dir=self._file.parent, prefix=f".{self._file.name}-", delete=False
            ) as new:
                new.write(token + "\n")
            os.replace(new.name, self._file)
        except OSError as error:
            raise WrongSettings(f"--state-file {self._file} can't be written: {error.strerror}") from None


class Watch(Generic[Item]):
    """Iterates over the lists of items that the server sends; `seen` moves the place behind the last one."""

    def __init__(
        self, connection: Connection, method: Any, request: Message, items: str, place: Place, *, retry: bool
    ) -> None:
        """`method` streams answers with a `resume_token` and lists `items`; the request has a `resume_token` too."""
        self._connection = connection
        self._method = method
        self._items = items
        self._request = request
        self._place = place
        self._retry = retry
        self._next = ""

    def seen(self) -> None:
        """What was iterated over is dealt with."""
        self._place.move(self._next)

    def __iter__(self) -> Iterator[Sequence[Item]]:
        pause = FIRST_PAUSE
        while True:
            try:
                for answer in self._answers():
                    pause = FIRST_PAUSE
                    self._next = answer.resume_token
                    yield getattr(answer, self._items)
            except CallFailed as failure:
                if not self._retry or not (failure.server_is_away or failure.reason in _AGAIN):
                    raise
                click.echo(f"{failure.message}; trying again", err=True)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _answers(self) -> Iterator[Any]:
        setattr(self._request, "resume_token", self._place.token)  # noqa: B010 - their common type has no such field
        call = self._connection.stream(self._method, self._request)
        alarm = Alarm(call)
        try:
            for answer in call:
                alarm.restart()
                yield answer
        except grpc.RpcError as error:
            if alarm.rang:
                click.echo(f"nothing was heard of the server for {SILENCE:g} s; trying again", err=True)
                return
            raise self._connection.failed(error) from None
        finally:
            alarm.stop()
            call.cancel()


class Alarm:
    """Cancels a call that stays silent."""

    def __init__(self, call: grpc.Call) -> None:
        self._call = call
        self._heard = time.monotonic()
        self._over = threading.Event()
        self.rang = False
        threading.Thread(target=self._listen, name="watch alarm", daemon=True).start()

    def restart(self) -> None:
        """There was a sign of life."""
        self._heard = time.monotonic()

    def stop(self) -> None:
        """Nobody waits any more."""
        self._over.set()

    def _listen(self) -> None:
        while (left := self._heard + SILENCE - time.monotonic()) > 0:
            if self._over.wait(left):
                return
        self.rang = True
        self._call.cancel()
