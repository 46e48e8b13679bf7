"""Receiving: sockets drained at once into a bounded spool on disk.

`Receiver` reads the sockets, `Spool` keeps what came until its reader releases it, `Counters` tell what happened.
Nothing here knows arrays, communities or users but through the `InformDesk` that is handed in.
"""

from __future__ import annotations

from services.alerts.receiving.counters import Counters
from services.alerts.receiving.errors import CannotListen, SpoolUnusable
from services.alerts.receiving.receiver import Receiver
from services.alerts.receiving.record import Datagram, Position, SpooledDatagram
from services.alerts.receiving.sockets import DEFAULT_PORT, UNPRIVILEGED_PORT, TrapSocket, listen
from services.alerts.receiving.spool import Spool

__all__ = [
    "DEFAULT_PORT",
    "UNPRIVILEGED_PORT",
    "CannotListen",
    "Counters",
    "Datagram",
    "Position",
    "Receiver",
    "Spool",
    "SpoolUnusable",
    "SpooledDatagram",
    "TrapSocket",
    "listen",
]
