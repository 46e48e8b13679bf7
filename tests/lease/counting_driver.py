"""A driver for tests.lease.array: it keeps a session, one connection, with its array."""

from __future__ import annotations

import http.client
import os
import threading

from delphis import sdk


class CountingDriver(sdk.StorageDriver):
    """Logs in as the process that it runs in, and says which one that is."""

    def connect(self, context: sdk.Context) -> None:
        rest = self.access_info.rest
        self._array = self.access_info.extra_attributes["array"]
        self._lock = threading.Lock()
        # One server stands for all arrays, each of which has an address of its own.
        self._connection = http.client.HTTPConnection("127.0.0.1", rest.port, timeout=5)
        self._ask("POST", "login", str(os.getpid()))

    def close(self) -> None:
        self._ask("DELETE", "login")
        self._connection.close()

    def get_storage(self, context: sdk.Context) -> sdk.Storage:
        self._ask("GET", "state")
        array = sdk.Storage(serial_number=self._array, name=self._array, location=str(os.getpid()))
        array.status = sdk.StorageStatus.STORAGE_STATUS_NORMAL
        array.total_capacity = array.free_capacity = array.raw_capacity = 1
        array.used_capacity = 0
        return array

    def _ask(self, method: str, what: str, body: str = "") -> None:
        with self._lock:
            self._connection.request(method, f"/{self._array}/{what}", body=body)
            answer = self._connection.getresponse()
            answer.read()
        if answer.status != 200:
            raise sdk.errors.ArrayUnreachable(f"The array answers {method} with {answer.status}.")
