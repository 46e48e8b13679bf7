"""What is on a Pebble, in the array's own words and units. The same serial number and sizes give the same contents."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

Item = dict[str, Any]

POOLS, DISKS, CONTROLLERS, PORTS = 3, 24, 2, 8
STEP = 60
"""Seconds between two samples."""
HISTORY = 86_400
"""Seconds for which samples are kept."""


class Contents:
    """One array."""

    def __init__(self, serial: str = "PB-0001", volumes: int = 1200, hosts: int = 40) -> None:
        self.serial = serial
        self._volumes, self._hosts = volumes, hosts
        self._number = sum(serial.encode())
        self.receivers: dict[str, Item] = {}
        self.alerts = {alert["seq"]: alert for alert in self._first_alerts()}
        self.kinds: dict[str, tuple[Callable[[], int], Callable[[int], Item]]] = {
            "pools": (lambda: POOLS, self._pool),
            "volumes": (lambda: self._volumes, self._volume),
            "controllers": (lambda: CONTROLLERS, self._controller),
            "ports": (lambda: PORTS, self._port),
            "disks": (lambda: DISKS, self._disk),
            "hosts": (lambda: self._hosts, self._host),
            "initiators": (lambda: 2 * self._hosts, self._initiator),
            "exports": (lambda: min(self._volumes, 3 * self._hosts), self._export),
            "alerts": (lambda: len(self.alerts), lambda number: list(self.alerts.values())[number]),
        }

    def system(self) -> Item:
        """What the array says of itself."""
        pools = [self._pool(number) for number in range(POOLS)]
        return {
            "serial": self.serial,
            "label": f"pebble-{self.serial[-4:].lower()}",
            "product": "Pebble 100",
            "release": "3.2.1",
            "state": "OK",
            "raw_gb": DISKS * 3840,
            "size_mib": sum(pool["size_mib"] for pool in pools),
            "used_mib": sum(pool["used_mib"] for pool in pools),
        }

    def page(self, kind: str, start: int, count: int) -> Item:
        """A part of a list; `next` is where the next one begins."""
        total, item = self.kinds[kind][0](), self.kinds[kind][1]
        end = min(total, start + count)
        return {
            "total": total,
            "next": end if end < total else None,
            "items": [item(number) for number in range(start, end)],
        }

    def _wwn(self, kind: int, number: int) -> str:
        """As the array prints it: upper case, with colons."""
        digits = f"6{self._number:07X}{kind:02X}{number:06X}"
        return ":".join(digits[at : at + 2] for at in range(0, 16, 2))

    def _pool(self, number: int) -> Item:
        size = (number + 1) * 8 * 1024 * 1024
        disks = [f"d{disk}" for disk in range(number, DISKS, POOLS)]
        return {
            "id": f"p{number}",
            "label": f"pool {number}",
            "state": "OK" if number else "DEGRADED",
            "size_mib": size,
            "used_mib": size // 4 * number,
            "disks": disks,
        }

    def _volume(self, number: int) -> Item:
        size = 1024 * (1 + number % 64)
        return {
            "id": f"v{number}",
            "label": f"volume {number}",
            "state": "REBUILDING" if number == 3 else "OK",
            "pool": f"p{number % POOLS}",
            "size_mib": size,
            "used_mib": size * (number % 5) // 4,
            "thin": number % 2 == 0,
            "wwn": self._wwn(1, number),
        }

    def _controller(self, number: int) -> Item:
        return {
            "id": f"c{number}",
            "label": f"controller {'AB'[number]}",
            "state": "OK",
            "memory_mib": 65_536,
            "cores": 16,
            "address": f"192.0.2.{10 + number}",
        }

    def _port(self, number: int) -> Item:
        fibre = number % 2 == 0
        return {
            "id": f"if{number}",
            "label": f"port {number}",
            "controller": f"c{number % CONTROLLERS}",
            "protocol": "FC" if fibre else "ISCSI",
            "link": "UP" if number < PORTS - 1 else "DOWN",
            "gbps": 16 if fibre else 25,
            "wwn": self._wwn(2, number) if fibre else None,
            "address": None if fibre else f"192.0.2.{100 + number}",
        }

    def _disk(self, number: int) -> Item:
        flash = number % 3 == 0
        return {
            "id": f"d{number}",
            "label": f"disk {number}",
            "serial": f"{self.serial}-D{number:03}",
            "state": "WORN" if number == 5 else "OK",
            "technology": "NVME" if flash else "NL-SAS",
            "rpm": 0 if flash else 7200,
            "gb": 3840,
            "wear_percent": 100 if number == 5 else number,
        }

    def _host(self, number: int) -> Item:
        return {
            "id": f"h{number}",
            "label": f"server-{number:02}",
            "system": ("linux", "windows", "vmware", "beos")[number % 4],
            "address": f"198.51.100.{number % 250 + 1}",
        }

    def _initiator(self, number: int) -> Item:
        return {
            "id": f"i{number}",
            "host": f"h{number // 2}",
            "wwn": self._wwn(3, number),
            "logged_in": number % 5 != 4,
        }

    def _export(self, number: int) -> Item:
        return {"id": f"e{number}", "host": f"h{number % self._hosts}", "volume": f"v{number}"}

    def _first_alerts(self) -> list[Item]:
        began = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
        raised = (
            ("41", "DISK_WORN", 2, "disk:d5", "Disk 5 is worn out."),
            ("42", "POOL_DEGRADED", 3, "pool:p0", "Pool 0 has lost a disk of its redundancy."),
            ("43", "LINK_DOWN", 4, "port:if7", "Port 7 has no link."),
        )
        return [
            {
                "seq": seq,
                "code": code,
                "level": level,
                "object": where,
                "text": text,
                "time": (began + timedelta(minutes=10 * number)).isoformat(),
            }
            for number, (seq, code, level, where, text) in enumerate(raised)
        ]

    # ---- Performance ----

    def latest(self) -> int:
        """When the newest sample was taken."""
        return int(time.time()) // STEP * STEP

    def samples(self, begin: float, end: float) -> Item:
        """Samples with begin <= time < end."""
        latest = self.latest()
        first = max(math.ceil(begin / STEP) * STEP, latest - HISTORY)
        times = range(first, min(math.ceil(end), latest + 1), STEP)
        return {"start": first, "step": STEP, "samples": [self._sample(at) for at in times]}

    def _sample(self, at: int) -> Item:
        pools = {f"p{number}": self._load(at, number) for number in range(POOLS)}
        return {
            "pools": pools,
            "array": {
                "iops": sum(load["iops"] for load in pools.values()),
                "mbps": sum(load["mbps"] for load in pools.values()),
                "latency_ms": max(load["latency_ms"] for load in pools.values()),
            },
        }

    def _load(self, at: int, number: int) -> dict[str, float]:
        busy = 0.5 + 0.5 * math.sin(at / 3600 + number + self._number)
        return {"iops": round(20_000 * busy, 1), "mbps": round(800 * busy, 2), "latency_ms": round(0.3 + busy, 3)}
