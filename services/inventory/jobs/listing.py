from __future__ import annotations

from typing import Any


async def list_jobs(store: Any, request: Any, message: Any) -> Any:
    raise NotImplementedError
