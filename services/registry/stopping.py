"""What callers are told while the hosts of a driver are being stopped."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from services.calls.errors import CallError
from services.registry.channel import given_up

T = TypeVar("T")


def stopping(driver: str) -> CallError:
    """The answer to a call that no host will serve any more."""
    return CallError(
        "SERVICE_UNAVAILABLE",
        f"The hosts of driver {driver} are being stopped; try again in a moment.",
        metadata={"driver": driver},
        retry_after=1.0,
    )


async def outcome(task: asyncio.Task[T], driver: str) -> T:
    """The result of a task that several callers wait for. CallError SERVICE_UNAVAILABLE where a stop ended the task."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if given_up():
            raise
        raise stopping(driver) from None
