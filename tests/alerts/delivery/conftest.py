from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.alerts.delivery.scene import Scene
from tests.alerts.delivery.scene import scene as opened


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Everything at work, on SQLite."""
    async with opened(tmp_path) as made:
        yield made
