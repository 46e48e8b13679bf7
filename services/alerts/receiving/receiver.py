"""The receiver: drains the sockets, keeps what came, answers who waits."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any, Final

from services.alerts.receiving.counters import Counters
from services.alerts.receiving.dam import Dam
from services.alerts.receiving.pace import Pace
from services.alerts.receiving.record import MOST_DATAGRAM, Datagram
from services.alerts.receiving.sockets import TrapSocket, asked_at, queues, source_text
from services.alerts.receiving.spool import Spool
from services.snmp import Inform, InformDesk, Kind, SnmpError, peek

log = logging.getLogger(__name__)

TOO_MANY_QUESTIONS: Final = "too_many_questions"
"""Refused: informs or searches for our engine beyond what one source may ask. Who sends informs repeats them."""

_ANCILLARY = 64
_TICK = 0.25
_LOG_EVERY = 60.0
_NANO = 1_000_000_000


class Receiver:
    """Reads sockets from `start` to `close`, in the loop of the caller."""

    def __init__(
        self,
        sockets: Sequence[TrapSocket],
        spool: Spool,
        desk: InformDesk,
        counters: Counters,
        *,
        batch: int = 256,
        questions: Pace | None = None,
    ) -> None:
        """`batch` datagrams at most are taken in one turn of the loop; `questions` bounds what a source may ask."""
        self._sockets = sockets
        self._spool = spool
        self.desk = desk
        self.counters = counters
        self._batch = batch
        self._questions = questions or Pace(500, 2_000)
        self._dam = Dam(sockets)
        self._sources: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._logged_at = 0.0
        self._logged_losses = 0

    def start(self) -> None:
        """Begins to read."""
        self._loop = asyncio.get_running_loop()
        for each in self._sockets:
            self._loop.add_reader(each.socket.fileno(), self.drain, each)
            log.info("receiving traps on %s, with room for %d KiB", each, each.buffer_bytes // 1024)
        self._tick()

    def close(self) -> None:
        """Takes what waits in the sockets, and closes them."""
        if self._loop is None:
            return
        for each in self._sockets:
            self._loop.remove_reader(each.socket.fileno())
            for _ in range(256):
                if self.drain(each) < self._batch:
                    break
            self.count_kernel_drops()
        for each in self._sockets:
            each.socket.close()
        if self._ticking is not None:
            self._ticking.cancel()
        self._loop = None

    def drain(self, listening: TrapSocket) -> int:
        """Takes one batch: into the spool with one write, then the answers. Returns how many came."""
        receive = listening.socket.recvmsg
        counters, sources = self.counters, self._sources
        batch: list[Datagram] = []
        informs: list[tuple[int, Inform, Any, Any]] = []
        taken = octets = 0
        at = time.time_ns()
        for _ in range(self._batch):
            try:
                data, ancillary, _, peer = receive(MOST_DATAGRAM, _ANCILLARY)
            except BlockingIOError:
                break
            except OSError as problem:  # an error that the network reports for something that we sent
                log.debug("%s: %s", listening, problem)
                continue
            taken += 1
            octets += len(data)
            source = source_text(peer)
            sources[source] = sources.get(source, 0) + 1
            try:
                if peek(data) is Kind.TRAP:
                    batch.append(Datagram(source, peer[1], at, data))
                    continue
                inform = self._asked(data, source, at)
            except SnmpError as refusal:
                counters.refuse(refusal.reason)
                continue
            if inform is None:
                continue
            if inform.keep:
                informs.append((len(batch), inform, peer, ancillary))
                batch.append(Datagram(source, peer[1], at, data, answered=bool(inform.answer)))
            else:
                self._answer(listening, inform.answer, peer, ancillary)
                if inform.reason is None:
                    counters.informs_repeated += 1
                else:
                    counters.reports += 1
        counters.received += taken
        counters.received_bytes += octets
        if batch:
            safe = self._spool.append(batch)
            for index, inform, peer, ancillary in informs:
                if safe[index] and inform.answer:
                    self.desk.kept(inform, at / _NANO)
                    self._answer(listening, inform.answer, peer, ancillary)
                    counters.informs_answered += 1
        return taken

    def _asked(self, data: bytes, source: str, at: int) -> Inform | None:
        now = at / _NANO
        if not self._questions.allows(source, now):
            self.counters.refuse(TOO_MANY_QUESTIONS)
            return None
        try:
            return self.desk.take(data, source, now)
        except SnmpError:
            raise
        except Exception:
            # A fault of ours must not take the rest of the batch along; the sender repeats its inform.
            log.exception("an inform from %s could not be judged", source)
            self.counters.refuse("internal")
            return None

    def _answer(self, listening: TrapSocket, answer: bytes, peer: Any, ancillary: Any) -> None:
        """From the address that was asked: a sender believes no other."""
        try:
            listening.socket.sendmsg([answer], [item for each in ancillary for item in asked_at(*each)], 0, peer)
        except OSError as problem:
            self.counters.unanswered += 1
            log.debug("an answer to %s could not be sent: %s", peer[0], problem)

    def _tick(self) -> None:
        assert self._loop is not None
        self._ticking = self._loop.call_later(_TICK, self._tick)
        self.count_kernel_drops()
        self._spool.expire(time.time_ns())
        self._log_losses(self._loop.time())

    def count_kernel_drops(self) -> None:
        """Reads the kernel's counts, and dams floods. Four times a second by itself."""
        try:
            found = queues(self._sockets)
        except (OSError, ValueError, IndexError) as problem:
            log.debug("the kernel's drops can't be read: %s", problem)
            return
        drops = sum(queue.drops for queue in found.values())
        dropped, self.counters.kernel_drops = drops - self.counters.kernel_drops, drops
        room = {each.inode: 2 * each.buffer_bytes for each in self._sockets}
        full = max((queue.waiting / room[inode] for inode, queue in found.items()), default=0.0)
        self._dam.look(self._sources, full=full, dropped=dropped)
        self._sources.clear()
        self.counters.held_back = dict(self._dam.kept)

    def _log_losses(self, now: float) -> None:
        counters = self.counters
        losses = counters.kernel_drops + counters.overflow_dropped + counters.share_refused + counters.disk_refused
        if losses > self._logged_losses and now - self._logged_at >= _LOG_EVERY:
            log.warning(
                "%d traps lost so far: %d dropped by the kernel, %d since the spool was full, %d beyond their source's"
                " share of it, %d since it could not be written",
                losses,
                counters.kernel_drops,
                counters.overflow_dropped,
                counters.share_refused,
                counters.disk_refused,
            )
            self._logged_at, self._logged_losses = now, losses
