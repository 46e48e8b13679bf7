from __future__ import annotations

from typing import Any


async def list_entries(store: Any, request: Any) -> Any:
    raise NotImplementedError
