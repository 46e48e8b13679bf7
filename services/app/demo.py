"""Something to look at: three generated arrays."""

from __future__ import annotations

import logging

from delphis.inventory.v1 import inventory_pb2
from delphis.type.v1 import access_pb2
from services.calls.errors import CallError
from services.calls.pipeline import Ingress, Pipeline

log = logging.getLogger(__name__)

ARRAYS = (("demo-east", 5001), ("demo-west", 5002), ("demo-lab", 5003))


async def register_demo(pipeline: Pipeline, token: str | None = None) -> None:
    """Registers the arrays that are not there yet."""
    for name, port in ARRAYS:
        request = inventory_pb2.RegisterStorageRequest(
            vendor="fake_storage",
            model="fake_driver",
            storage_name=name,
            rest=access_pb2.RestAccess(host="127.0.0.1", port=port, username="demo", password="demo"),
            labels={"demo": "true"},
        )
        ingress = Ingress(token=token, request_id=f"demo-{name}", timeout=60.0, peer="demo")
        try:
            await pipeline.unary(
                "/delphis.inventory.v1.InventoryService/RegisterStorage", request.SerializeToString(), ingress
            )
        except CallError as error:
            if error.reason != "STORAGE_ALREADY_EXISTS":
                log.error("the demonstration array %s can't be registered: %s", name, error)
