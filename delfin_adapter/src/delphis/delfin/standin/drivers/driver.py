"""`delfin.drivers.driver`: the base class of Delfin's drivers."""

from __future__ import annotations

import abc
from typing import Any


class StorageDriver(abc.ABC):
    """One array."""

    def __init__(self, **kwargs: Any) -> None:
        self.storage_id = kwargs.get("storage_id")

    def delete_storage(self, context: Any) -> None:
        """Forgets an array."""
        return

    def add_storage(self, kwargs: dict[str, Any]) -> None:
        """Takes another array into the same object."""
        return

    @abc.abstractmethod
    def reset_connection(self, context: Any, **kwargs: Any) -> None:
        """Logs in anew."""

    @abc.abstractmethod
    def get_storage(self, context: Any) -> Any:
        """What the array says of itself."""

    @abc.abstractmethod
    def list_storage_pools(self, context: Any) -> Any:
        """All pools."""

    @abc.abstractmethod
    def list_volumes(self, context: Any) -> Any:
        """All volumes."""

    @abc.abstractmethod
    def add_trap_config(self, context: Any, trap_config: Any) -> Any:
        """Adds a trap receiver."""

    @abc.abstractmethod
    def remove_trap_config(self, context: Any, trap_config: Any) -> Any:
        """Removes a trap receiver."""

    @staticmethod
    def parse_alert(context: Any, alert: Any) -> Any:
        """What a trap says."""
        return None

    @abc.abstractmethod
    def list_alerts(self, context: Any, query_para: Any) -> Any:
        """The open alerts."""

    @abc.abstractmethod
    def clear_alert(self, context: Any, sequence_number: Any) -> Any:
        """Clears an alert."""

    def list_controllers(self, context: Any) -> Any:
        """All controllers."""
        raise NotImplementedError

    def list_ports(self, context: Any) -> Any:
        """All ports."""
        raise NotImplementedError

    def list_disks(self, context: Any) -> Any:
        """All disks."""
        raise NotImplementedError

    def list_quotas(self, context: Any) -> Any:
        """All quotas."""
        raise NotImplementedError

    def list_filesystems(self, context: Any) -> Any:
        """All filesystems."""
        raise NotImplementedError

    def list_qtrees(self, context: Any) -> Any:
        """All qtrees."""
        raise NotImplementedError

    def list_shares(self, context: Any) -> Any:
        """All shares."""
        raise NotImplementedError

    def list_storage_host_initiators(self, context: Any) -> Any:
        """All initiators."""
        raise NotImplementedError

    def list_storage_hosts(self, context: Any) -> Any:
        """All hosts."""
        raise NotImplementedError

    def list_storage_host_groups(self, context: Any) -> Any:
        """All groups of hosts, and their members."""
        raise NotImplementedError

    def list_port_groups(self, context: Any) -> Any:
        """All groups of ports, and their members."""
        raise NotImplementedError

    def list_volume_groups(self, context: Any) -> Any:
        """All groups of volumes, and their members."""
        raise NotImplementedError

    def list_masking_views(self, context: Any) -> Any:
        """All masking views."""
        raise NotImplementedError

    def collect_perf_metrics(
        self, context: Any, storage_id: Any, resource_metrics: Any, start_time: Any, end_time: Any
    ) -> Any:
        """Samples of a window."""
        return None

    @staticmethod
    def get_capabilities(context: Any, filters: Any = None) -> Any:
        """What is measured."""
        return None

    def get_alert_sources(self, context: Any) -> Any:
        """Addresses that traps come from."""
        return []

    def get_latest_perf_timestamp(self, context: Any) -> Any:
        """Time of the newest sample, in ms."""
        return None

    @staticmethod
    def get_access_url() -> str:
        """Address of the array's own user interface, with {ip} and {port}."""
        return "https://{ip}"
