"""`delfin.drivers.utils.tools`: times, sizes and the output of command lines."""

from __future__ import annotations

import re
import time
from typing import Any

_SIZE = re.compile(r"\s*(-?[\d.,]+)\s*([KMGTPE]?)i?B?\s*", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}


class Tools:
    """All of them can be called on the class, and on an object."""

    @staticmethod
    def time_str_to_timestamp(time_str: str | None, time_pattern: str) -> int | str:
        """ms since 1970 of a local time; an empty text for none."""
        return int(time.mktime(time.strptime(time_str, time_pattern)) * 1000) if time_str else ""

    @staticmethod
    def timestamp_to_time_str(time_stamp: float | None, time_pattern: str) -> str:
        """The local time of ms since 1970."""
        return time.strftime(time_pattern, time.localtime(time_stamp / 1000)) if time_stamp else ""

    @staticmethod
    def timestamp_to_utc_time_str(time_stamp: float | None, time_pattern: str) -> str:
        """The same in UTC."""
        return time.strftime(time_pattern, time.gmtime(time_stamp / 1000)) if time_stamp else ""

    @staticmethod
    def change_capacity_to_bytes(unit: str) -> int:
        """Bytes of a unit such as `GB`; binary, as arrays' command lines mean it."""
        return 1 << 10 * _POWERS.get(unit.strip().upper()[:1].replace("B", ""), 0)

    @staticmethod
    def get_capacity_size(value: str | None) -> int:
        """Bytes of a text such as `1.5 TB`; 0 where it is none."""
        found = _SIZE.fullmatch(value or "")
        if found is None:
            return 0
        return int(float(found[1].replace(",", "")) * 1024 ** _POWERS[found[2].upper()])

    @staticmethod
    def split_value_map_list(value_info: str, split: str = ":") -> list[dict[str, str]]:
        """Blocks of `key: value` lines, parted by empty lines, as maps."""
        blocks: list[dict[str, str]] = [{}]
        for line in value_info.splitlines():
            key, parted, value = line.partition(split)
            if not line.strip():
                blocks.append({})
            elif parted:
                blocks[-1][key.strip()] = value.strip()
        return [block for block in blocks if block]

    @staticmethod
    def get_remote_file_to_xml(ssh: Any, file: str, local_path: str, remote_path: str) -> Any:
        """The root of an XML file that is fetched over SCP."""
        from pathlib import Path
        from xml.etree import ElementTree

        from scp import SCPClient  # type: ignore[import-not-found]

        local = Path(local_path) / file
        with SCPClient(ssh.get_transport()) as copier:
            copier.get(f"{remote_path}/{file}", str(local))
        return ElementTree.fromstring(local.read_text(encoding="utf-8"))
