"""Looks like a driver, but is none."""

from __future__ import annotations


class NoDriver:
    def get_storage(self, context: object) -> dict[str, str]:
        return {"serial_number": "1"}
