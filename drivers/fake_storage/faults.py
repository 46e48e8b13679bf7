"""The language of the `fail` attribute.

    fail  = rule { ";" rule }
    rule  = [ place ":" ] [ "after=" N ":" ] word [ "=" N ] { "*" N | "@" N | "~" N "%" }
    place = "login" | "storage" | "alerts" | "metrics" | "lists" | a kind, such as "volumes"

The README of this folder explains each word.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from delphis.sdk import errors

from .kinds import KINDS

ERRORS: dict[str, type[errors.DriverError]] = {
    "password": errors.InvalidUsernameOrPassword,
    "credential": errors.InvalidCredential,
    "permission": errors.ArrayPermissionDenied,
    "address": errors.InvalidIpOrPort,
    "certificate": errors.SSLCertificateFailed,
    "handshake": errors.SSLHandshakeFailed,
    "not_found": errors.StorageBackendNotFound,
    "unavailable": errors.ArrayUnreachable,
    "connect_timeout": errors.ConnectTimeout,
    "timeout": errors.ArrayTimeout,
    "busy": errors.ArrayBusy,
    "max_users": errors.StorageMaxUserCountException,
    "bad_response": errors.BadResponse,
    "error": errors.StorageBackendException,
    "unsupported": errors.StorageCapabilityNotSupported,
}

# A bug of the driver's own, and what takes its process along.
BUG = "bug"
CRASH, EXIT, HANG = "crash", "exit", "hang"
ENDS_PROCESS = frozenset({CRASH, EXIT})
EVERYWHERE = frozenset({*ERRORS, BUG, CRASH, EXIT, HANG})

# Wrong answers. The number is the value of a word that is given without one.
HALF, SHORT, EMPTY, DUPLICATES, SLOW = "half", "short", "empty", "duplicates", "slow"
LIST_WORDS = {HALF: 0, SHORT: 1, EMPTY: 0, DUPLICATES: 1, SLOW: 1000}
WITH_NUMBER = frozenset({SHORT, DUPLICATES, SLOW})

OFFLINE, ABNORMAL, DEGRADED, SERIAL, NO_SERIAL = "offline", "abnormal", "degraded", "serial", "no_serial"
STORAGE_WORDS = frozenset({OFFLINE, ABNORMAL, DEGRADED, SERIAL, NO_SERIAL})

# Wrong in lists and in the storage alike.
GARBAGE, BROKEN = "garbage", "broken"
ANSWER_WORDS = frozenset({GARBAGE, BROKEN})

LOGIN, STORAGE, LISTS = "login", "storage", "lists"
ALERTS, METRICS = "alerts", "metrics"
PLACES = (LOGIN, STORAGE, LISTS, ALERTS, METRICS, *KINDS)
WORDS = (*sorted(EVERYWHERE), *LIST_WORDS, *sorted(ANSWER_WORDS), *sorted(STORAGE_WORDS))

_RULE = re.compile(
    r"""(?: (?P<place> [a-z_]+ ) \s* : \s* )?
        (?: after \s* = \s* (?P<after> \d{1,9} ) \s* : \s* )?
        (?P<word> [a-z_]+ ) (?: \s* = \s* (?P<number> \d{1,9} ) )?
        (?P<suffixes> (?: \s* (?: \*\s*\d{1,9} | @\s*\d{1,9} | ~\s*\d{1,3}\s*% ) )* )""",
    re.VERBOSE | re.ASCII,
)
_SUFFIX = re.compile(r"([*@~])\s*(\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule.

    Attributes:
        text: As it was given.
        places: Where it holds.
        word: What happens.
        number: The word's own number.
        after: Items of a list before it happens; None: at the beginning of the call.
        times: How often it happens at most; None: always.
        since: The call of that place from which on it happens, counted from 1.
        percent: In how many of 100 such calls it happens.
    """

    text: str
    places: frozenset[str]
    word: str
    number: int
    after: int | None
    times: int | None
    since: int
    percent: int


def parse(text: str) -> tuple[Fault, ...]:
    """Read a `fail` attribute. Raises ValueError with a sentence that names the rule."""
    return tuple(_rule(part) for part in (part.strip() for part in re.split("[;,]", text)) if part)


def _rule(text: str) -> Fault:
    match = _RULE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no rule; one looks like 'volumes:unavailable' or 'disks:after=10:crash*1'")
    place, word, number = match["place"], match["word"], match["number"]
    if place is not None and place not in PLACES:
        raise ValueError(f"{text!r} names the place {place!r}, which is none of {', '.join(PLACES)}")
    if word not in WORDS:
        raise ValueError(f"{text!r} has the word {word!r}, which is none of {', '.join(WORDS)}")
    if number is not None and word not in WITH_NUMBER:
        raise ValueError(f"{text!r} gives {word!r} a number, which it doesn't take")
    after = match["after"]
    places = _places(text, place, word, after is not None)
    suffixes = dict(_SUFFIX.findall(match["suffixes"]))
    return Fault(
        text=text,
        places=places,
        word=word,
        number=LIST_WORDS.get(word, 0) if number is None else int(number),
        after=None if after is None else int(after),
        times=int(suffixes["*"]) if "*" in suffixes else None,
        since=int(suffixes.get("@", 1)),
        percent=min(100, int(suffixes.get("~", 100))),
    )


def _places(text: str, place: str | None, word: str, inside_list: bool) -> frozenset[str]:
    if inside_list and word not in EVERYWHERE:
        raise ValueError(f"{text!r}: 'after' goes only with errors, {BUG}, {CRASH}, {EXIT} and {HANG}")
    if word in STORAGE_WORDS:
        possible = frozenset({STORAGE})
    elif word in LIST_WORDS or inside_list:
        possible = frozenset(KINDS) if word == DUPLICATES else frozenset({ALERTS, METRICS, *KINDS})
    elif word in ANSWER_WORDS:
        possible = frozenset({STORAGE, ALERTS, METRICS, *KINDS})
    else:
        possible = frozenset({LOGIN, STORAGE, ALERTS, METRICS, *KINDS})
    if place is None:
        # A rule for every call needs no place of its own for the login, which precedes each. Alerts and metrics
        # are read in the background, which would use up what is counted.
        return possible - {LOGIN, ALERTS, METRICS}
    meant = frozenset(KINDS) if place == LISTS else frozenset({place})
    if not meant <= possible:
        raise ValueError(f"{text!r}: {word!r} can't happen at {place!r}")
    return meant
