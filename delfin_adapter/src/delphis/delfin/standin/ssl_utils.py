"""`delfin.ssl_utils`: TLS of requests that verifies the chain and never the name."""

from __future__ import annotations

from typing import Any

from requests.adapters import HTTPAdapter


class HostNameIgnoreAdapter(HTTPAdapter):
    """Arrays' certificates seldom name the address by which they are reached."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block=block, assert_hostname=False, **pool_kwargs)


def get_host_name_ignore_adapter() -> HostNameIgnoreAdapter:
    """One to mount."""
    return HostNameIgnoreAdapter()
