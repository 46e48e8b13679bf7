"""Makes replacements that have the shape of what they replace."""

from __future__ import annotations

import ipaddress
import random
import re
import string

_HEX = re.compile(r"[0-9A-Fa-f]+")
DOCUMENTATION = tuple(ipaddress.IPv4Network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"))
BENCHMARKS = ipaddress.IPv4Network("198.18.0.0/15")
DOCUMENTATION_6 = ipaddress.IPv6Network("2001:db8::/32")


def like(text: str, dice: random.Random) -> str:
    """A text of the same length, with a letter for each letter, a digit for each digit, all else as it was.

    Letters stay within hexadecimal digits where all of them were.
    """
    letters = "".join(each for each in text if each.isalpha())
    numeric = any(each.isdigit() for each in text)
    lower = "abcdef" if numeric and letters and _HEX.fullmatch(letters) else string.ascii_lowercase
    made: list[str] = []
    for place, each in enumerate(text):
        if each.isdigit():
            # A first digit that isn't 0 stays one that isn't: the text may be read as a number.
            made.append(dice.choice("123456789" if each != "0" and not text[:place].strip("-+.") else string.digits))
        elif each.isalpha():
            made.append(dice.choice(lower.upper() if each.isupper() else lower))
        else:
            made.append(each)
    return "".join(made)


def wwn(digits: str, dice: random.Random) -> str:
    """A WWN for a WWN of 16 or 32 digits: format and vendor stay, since drivers look at them."""
    kept = {"5": 7, "6": 7, "1": 10, "2": 10}.get(digits[0], 6)
    return digits[:kept] + "".join(dice.choice("0123456789abcdef") for _ in digits[kept:])


def mac(digits: str, dice: random.Random) -> str:
    """A MAC for a MAC of 12 digits; the vendor stays."""
    return digits[:6] + "".join(dice.choice("0123456789abcdef") for _ in range(6))


def address(number: int) -> str:
    """The n-th address of those that are set aside for documents, then for benchmarks."""
    for network in DOCUMENTATION:
        if number < 254:
            return str(network[number + 1])
        number -= 254
    return str(BENCHMARKS[1 + number % (BENCHMARKS.num_addresses - 2)])


def address_6(number: int) -> str:
    """The n-th address of IPv6 that is set aside for documents."""
    return str(DOCUMENTATION_6[number + 1])


def spelt_like(digits: str, model: str) -> str:
    """Hexadecimal digits with the separators and the case of another text of as many."""
    upper = any(each.isupper() for each in model)
    left = iter(digits.upper() if upper else digits)
    return "".join(next(left) if each in string.hexdigits else each for each in model)
