"""What a process beside the core knows of a storage."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from delphis.type.v1 import access_pb2, hardware_pb2, storage_pb2


@dataclass(frozen=True, slots=True)
class Controller:
    """A controller that has a management address."""

    id: str
    name: str
    address: str
    """Name or address."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A registered storage. Made anew where anything of it changes, so equal means unchanged."""

    id: str
    """UUID text."""
    name: str
    vendor: str
    """As its driver calls it; the registered one where the driver has not said."""
    model: str
    serial_number: str
    pair: tuple[str, str]
    """Vendor and model as registered, by which its driver is found."""
    labels: Mapping[str, str]
    hosts: tuple[str, ...]
    """Names and addresses in its access info, each once."""
    access_revision: int
    """Grows with each change of the access info; 0: it has none that can be told."""
    controllers: tuple[Controller, ...]
    message: storage_pb2.Storage = field(repr=False)
    """All that the inventory says of it. Not to be changed."""

    @property
    def native_id(self) -> str:
        """What it is called among resources: its serial number, or its id where it has none."""
        return self.serial_number or self.id

    @property
    def status(self) -> storage_pb2.StorageStatus.ValueType:
        """How the array is, by its last sync."""
        return self.message.status

    @property
    def is_new(self) -> bool:
        """Whether its first sync still waits or runs."""
        status, outcome = self.message.sync_status, self.message.sync_outcome
        return status == storage_pb2.SYNC_STATUS_SYNCING and outcome == storage_pb2.SYNC_OUTCOME_NEVER

    @property
    def paused(self) -> bool:
        """Whether an operator wants nothing to be asked of it now."""
        if not self.message.HasField("pause"):
            return False
        pause = self.message.pause
        return not pause.HasField("until") or pause.until.seconds + pause.until.nanos / 1e9 > time.time()


def storage_of(
    message: storage_pb2.Storage, access: access_pb2.AccessInfo | None, controllers: Iterable[hardware_pb2.Controller]
) -> Storage:
    """A storage from what the core answers of it."""
    blocks = () if access is None else (access.rest, access.ssh, access.cli, access.smis)
    hosts = (block.host for block in blocks if block.host)
    return Storage(
        id=message.id,
        name=message.display_name or message.name,
        vendor=message.vendor or message.driver_vendor,
        model=message.model or message.driver_model,
        serial_number=message.serial_number,
        pair=(message.driver_vendor, message.driver_model),
        labels=dict(message.labels),
        hosts=tuple(dict.fromkeys(hosts)),
        access_revision=access.revision if access is not None else 0,
        controllers=tuple(
            Controller(controller.id, controller.name, controller.mgmt_ip)
            for controller in sorted(controllers, key=lambda controller: controller.native_controller_id)
            if controller.mgmt_ip
        ),
        message=message,
    )
