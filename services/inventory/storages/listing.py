from __future__ import annotations

from typing import Any


async def list_storages(store: Any, request: Any) -> bytes:
    raise NotImplementedError


async def list_access_infos(store: Any, request: Any) -> Any:
    raise NotImplementedError
