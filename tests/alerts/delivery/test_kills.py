"""The service is killed while it works: what was stored is told at least once, in order for each array."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from pathlib import Path

from tests.alerts.delivery.scene import scene, soon
from tests.alerts.delivery.web import Reply, Request, answer, web

REPO = Path(__file__).parents[3]


async def _work_until_killed(folder: Path, first: int, alerts: int) -> int:
    """The first number that is not known to be stored."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.alerts.delivery.worker", str(folder), str(first)),
        stdout=asyncio.subprocess.PIPE,
        cwd=REPO,
    )
    assert process.stdout is not None
    last = first - 1
    while line := (await process.stdout.readline()).strip():
        if line != b"ready":
            last = int(line)
        if last >= first + alerts:
            process.send_signal(signal.SIGKILL)
            break
    rest = await process.stdout.read()
    assert await process.wait() == -signal.SIGKILL
    return int(rest.split()[-1]) + 1 if rest.split() else last + 1


async def test_what_is_stored_is_told(tmp_path: Path) -> None:
    dice = random.Random(5)

    async def moody(request: Request) -> Reply:
        await asyncio.sleep(dice.uniform(0, 0.02))
        return dice.choice([answer(200), answer(200), answer(200), answer(503), None])

    async with web(moody) as site:
        async with scene(tmp_path) as made:
            receiver = await made.webhook(site.url, webhook={"batch_size": 20})
        after = 0
        for _ in range(3):
            after = await _work_until_killed(tmp_path, after, dice.randrange(20, 200))
        async with scene(tmp_path) as made:
            await made.report("end")
            await soon("end", lambda: any(event["alert"]["match_key"] == "end" for event in site.taken), timeout=60)
            status = await made.until(receiver, "end of the backlog", lambda status: status.backlog == 0)
            assert status.dropped == 0
    assert after > 60
    first_told: dict[str, int] = {}
    for place, event in enumerate(site.taken):
        first_told.setdefault(event["alert"]["match_key"], place)
    # The last one before each death may have been stored without having been reported as such.
    assert {f"n{number}" for number in range(after)} <= first_told.keys()
    for array in range(5):
        places = [first_told[f"n{number}"] for number in range(array, after, 5)]
        assert places == sorted(places)
    positions = [event["position"] for event in site.taken]
    assert len(set(positions)) == len(first_told)
