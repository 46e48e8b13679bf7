"""Addresses in one form, so that they can be compared as texts."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=16_384)
def normalised(text: str) -> str:
    """The address in its one form, IPv4 within IPv6 as IPv4; empty where the text is no address."""
    try:
        address = ipaddress.ip_address(text.strip().strip("[]").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)
