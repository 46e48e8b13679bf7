"""The methods of StorageDriver, as the contract's options describe them."""

from __future__ import annotations

from delphis.driver.v1 import storage_driver_pb2
from services.calls.method import MethodOptions, options_of

SERVICE = storage_driver_pb2.DESCRIPTOR.services_by_name["StorageDriver"]
METHODS: dict[str, MethodOptions] = {method.name: options_of(method) for method in SERVICE.methods}

# Every driver has these; others are called only where it announced them.
ASSUMED = frozenset({"GetStorage", "ResetConnection", "CloseStorage"})
