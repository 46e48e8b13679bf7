"""kill -9 of the receiving process, again and again: nothing that was accepted is lost."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from services.alerts.receiving import Counters, Spool
from services.alerts.receiving.spool import START
from services.snmp import ber
from tests.snmp import oracle

REPO = Path(__file__).parents[3]
MARKED = 1_000_000_007


def template(*, inform: bool) -> tuple[bytes, bytes]:
    """A message around the place of its request id, which always takes four octets."""
    data = oracle.v2c_message(oracle.EVERY_TYPE[:4], inform=inform, request_id=MARKED)
    before, _, after = data.partition(ber.encode_integer(MARKED))
    return before + b"\x02\x04", after


def start(folder: Path, port: int) -> tuple[subprocess.Popen[str], int]:
    module = "tests.alerts.receiving.receiving_process"
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(folder), str(port)], cwd=REPO, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_what_was_answered_is_there(tmp_path: Path) -> None:
    """Traps and informs are sent while the process is killed five times; the informs that it answered must be in the
    spool, exactly once; the traps that came before the last answered inform of a life must be there too.
    """
    chance = random.Random(1)
    trap, inform = template(inform=False), template(inform=True)
    number, sent_informs, answered, lives = 1 << 24, 0, set[int](), []
    port = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        sender.settimeout(5)
        for _ in range(5):
            process, port = start(tmp_path, port)
            try:
                first, last_answered = number, 0
                ends = time.monotonic() + chance.uniform(0.02, 0.3)
                while time.monotonic() < ends:
                    for _ in range(chance.randrange(40)):
                        number += 1
                        sender.sendto(number.to_bytes(4, "big").join(trap), ("127.0.0.1", port))
                    number += 1
                    sent_informs += 1
                    sender.sendto(number.to_bytes(4, "big").join(inform), ("127.0.0.1", port))
                    answer = sender.recv(65_535)
                    at = answer.index(b"\x02\x04") + 2
                    last_answered = int.from_bytes(answer[at : at + 4], "big")
                    assert last_answered == number
                    answered.add(number)
                for _ in range(chance.randrange(200)):  # those on the way when it ends may be lost
                    number += 1
                    sender.sendto(number.to_bytes(4, "big").join(trap), ("127.0.0.1", port))
            finally:
                os.kill(process.pid, signal.SIGKILL)
                process.wait(60)
                assert process.stdout is not None
                process.stdout.close()
            lives.append((first, last_answered))
    counters = Counters()
    with Spool(tmp_path, counters=counters) as spool:
        records = spool.read(START, 10_000_000)
    assert counters.corrupt == 0
    found: list[int] = []
    for record in records:
        at = record.data.index(trap[0][-2:]) + 2
        found.append(int.from_bytes(record.data[at : at + 4], "big"))
    assert len(found) == len(set(found))
    assert found == sorted(found)
    assert len(answered) == sent_informs > 20
    assert answered <= set(found)
    for first, last_answered in lives:
        assert [each for each in found if first < each <= last_answered] == list(range(first + 1, last_answered + 1))
