"""What is private wherever it stands, by its look: addresses, WWNs, names of initiators, mail addresses, full names."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import NamedTuple

_HEX2 = "[0-9A-Fa-f]{2}"
_TLD = (
    "com|net|org|edu|gov|mil|int|io|cloud|local|lan|corp|internal|intra|intranet|home|priv|private|localdomain|example"
    "|de|at|ch|uk|fr|nl|be|it|es|pt|pl|cz|se|no|dk|fi|ie|eu|us|ca|br|mx|cn|jp|kr|tw|hk|sg|in|au|nz|za|ru|il|tr|ae"
)
_LOOKS = re.compile(
    rf"""
      (?P<iqn>\biqn\.[0-9]{{4}}-[0-9]{{2}}\.[A-Za-z0-9.-]+(?::[A-Za-z0-9.:_-]+)?)
    | (?P<nqn>\bnqn\.[0-9]{{4}}-[0-9]{{2}}\.[A-Za-z0-9.-]+(?::[A-Za-z0-9.:_-]+)?)
    | (?P<mail>\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+\b)
    | (?P<wwn>(?<![0-9A-Za-z:.-]){_HEX2}(?P<gap>[:-]){_HEX2}(?:(?P=gap){_HEX2}){{6}}
        (?:(?:(?P=gap){_HEX2}){{8}})?(?![0-9A-Za-z]|[:-][0-9A-Fa-f]{{2}}(?![0-9A-Za-z])))
    | (?P<mac>(?<![0-9A-Za-z:.-]){_HEX2}(?P<dash>[:-]){_HEX2}(?:(?P=dash){_HEX2}){{4}}
        (?![0-9A-Za-z]|[:-][0-9A-Fa-f]{{2}}(?![0-9A-Za-z])))
    | (?P<bare>(?<![0-9A-Za-z])(?:0x|naa\.|eui\.|wwn-0x|wwn\.)?
        (?:6[0-9A-Fa-f]{{31}}|5[0-9A-Fa-f]{{15}}|[12]00[0-9A-Fa-f]{{13}})(?![0-9A-Za-z]))
    | (?P<ipv6>(?<![0-9A-Za-z:.])(?=[0-9A-Fa-f]*:[0-9A-Fa-f]*:)[0-9A-Fa-f:]{{3,39}}(?![0-9A-Za-z:]))
    | (?P<ipv4>(?<![0-9A-Za-z.])(?:[0-9]{{1,3}}\.){{3}}[0-9]{{1,3}}(?![0-9A-Za-z]|\.[0-9]))
    | (?P<name>(?<![0-9A-Za-z.@-])(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+(?:{_TLD})
        (?![0-9A-Za-z]|[.-][0-9A-Za-z]))
    """,
    re.VERBOSE,
)
# Names of schemas and vendors that programs look for; they say nothing of the array's owner.
_PUBLIC = re.compile(
    r"(?:^|\.)(?:w3\.org|dmtf\.org|xmlsoap\.org|oasis-open\.org|snia\.org|swordfish\.org|redfish\.org|ietf\.org|iana\.org"
    r"|purl\.org|json-schema\.org|example\.(?:com|net|org)|example)$",
    re.IGNORECASE,
)


class Found(NamedTuple):
    """A private text by its look."""

    start: int
    end: int
    look: str
    """`ipv4`, `ipv6`, `mac`, `wwn`, `iqn`, `nqn`, `mail` or `name`."""


def find(text: str, *, addresses: bool = True) -> Iterator[Found]:
    """What in a text looks private, from left to right.

    Args:
        text: Any text.
        addresses: False where dotted numbers are versions.
    """
    for match in _LOOKS.finditer(text):
        look = next(name for name in _NAMES if match.group(name) is not None)
        start, end = match.span()
        match look:
            case "bare":
                start = match.end() - len(re.split(r"0x|\.", match.group())[-1])
                yield Found(start, end, "wwn")
            case "ipv4" if not addresses or not _is_telling(match.group()):
                continue
            case "ipv6" if not _is_telling(match.group()):
                continue
            case "name" if _PUBLIC.search(match.group()):
                continue
            case _:
                yield Found(start, end, look)


_NAMES = ("iqn", "nqn", "mail", "wwn", "mac", "bare", "ipv6", "ipv4", "name")


def _is_telling(text: str) -> bool:
    """An address of one machine, not of none, of this one, or a mask."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not (address.is_loopback or address.packed[0] in (0, 255) or address.is_multicast)
    return int(address) > 1
