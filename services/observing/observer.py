"""All that a process tells of itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from services.calls.errors import CallError
from services.observing.family import Family, Sample, gauge
from services.store.errors import StoreFault

log = logging.getLogger(__name__)

Source = Callable[[], Iterable[Family]]
"""What is known at once."""
Inquiry = Callable[[], Awaitable[Iterable[Family]]]
"""What the store has to be asked for."""
INQUIRY_SECONDS = 1.5
"""A store that is slow or away must not hide the rest: its numbers are left out, and that is told."""


class Observer:
    """Gathers the families of a process when they are asked for."""

    def __init__(self) -> None:
        self._sources: list[Source] = []
        self._inquiries: dict[str, Inquiry] = {}

    def add(self, *sources: Source) -> None:
        """More to tell."""
        self._sources += sources

    def inquire(self, name: str, inquiry: Inquiry) -> None:
        """More to tell, where the store answers. `name` says in a word what it is about."""
        self._inquiries[name] = inquiry

    async def families(self) -> list[Family]:
        """All that is known now."""
        found = [family for source in self._sources for family in source()]
        names = list(self._inquiries)
        answers = await asyncio.gather(*(self._answer(name) for name in names))
        found += [family for answer in answers for family in answer or ()]
        if names:
            found.append(
                gauge(
                    "delphis_process_inquiry_ok",
                    "Whether the numbers that come from the store could be read (1) or are missing here (0).",
                    *(
                        Sample(float(answer is not None), (("inquiry", name),))
                        for name, answer in zip(names, answers, strict=True)
                    ),
                )
            )
        return found

    async def _answer(self, name: str) -> list[Family] | None:
        try:
            async with asyncio.timeout(INQUIRY_SECONDS):
                return list(await self._inquiries[name]())
        except (StoreFault, CallError, TimeoutError) as error:
            log.warning("metrics about %s are left out: %s", name, str(error) or f"no answer in {INQUIRY_SECONDS:g} s")
            return None
