"""Answers requests out of a recording."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any
from urllib.parse import parse_qsl, unquote

from delphis.sdk.recording.files import HttpEntry, Recording
from delphis.sdk.simulation.messages import Answer, Request
from delphis.sdk.simulation.server import Simulator

LOGGER = logging.getLogger("delphis.simulation")
_LOGIN_WORDS = re.compile(r"pass|pwd|secret|token|key", re.IGNORECASE)


class ReplayServer(Simulator):
    """The array of a recording. The same request gets the recorded answers one after the other, the last for ever."""

    def __init__(self, recording: Recording, *, scenario: str = "", **address: Any) -> None:
        """
        Args:
            recording: What to answer.
            scenario: Which of an entry's scenarios to prefer.
            address: As of `Simulator`.
        """
        super().__init__(**address)
        self._entries = _of_scenario(recording.http, scenario)
        self._tokens = recording.tokens
        self._issued: set[str] = set()
        self._next: Counter[tuple[int, ...]] = Counter()
        self._turn = threading.Lock()

    def answer(self, request: Request) -> Answer:
        """The answer that was recorded; 404 where there is none, and the log says what comes nearest."""
        fitting = [number for number, entry in enumerate(self._entries) if fits(entry, request)]
        exact = [number for number in fitting if not _is_wide(self._entries[number])]
        about = exact or fitting
        fitting = _by_body(self._entries, about, request)
        if not fitting and any(_is_login(self._entries[number].body, request) for number in about):
            LOGGER.warning("%s %s: 401, since its body has another login", request.method, request.target)
            return Answer(401, {"error": "wrong login"})
        if not fitting:
            LOGGER.warning("%s %s: not in the recording; %s", request.method, request.target, self._nearest(request))
            return Answer(404, {"error": "not in the recording"})
        with self._turn:
            group = tuple(fitting)
            entry = self._entries[fitting[min(self._next[group], len(fitting) - 1)]]
            missing = self._missing(entry, request)
            if missing and entry.status < 400:
                LOGGER.warning("%s %s: 401, since %s", request.method, request.target, missing)
                return Answer(401, {"error": "not logged in"})
            self._next[group] += 1
            given = entry.answer.decode("utf-8", "replace") + "\n".join(text for _, text in entry.headers)
            self._issued |= {token for token in self._tokens - self._issued if token in given}
        return Answer(entry.status, entry.answer, entry.headers)

    def _missing(self, entry: HttpEntry, request: Request) -> str:
        """Why a request isn't logged in as the recorded one was; empty: it is."""
        for name, text in entry.needs:
            come = request.headers.get(name)
            if come is None:
                return f"it has no header {name}"
            if name.lower() == "cookie":
                pairs = [pair.strip() for pair in come.split(";")]
                if not all(self._same(pair.strip(), pairs) for pair in text.split(";")):
                    return "it doesn't have the recorded cookies"
            elif not self._same(text, [come]):
                return f"its header {name} is not the recorded one"
        return ""

    def _same(self, text: str, come: Sequence[str]) -> bool:
        """Whether one of the texts is the recorded one, or has another token of the recording that was given out."""
        if any(matches(text, each) for each in come):
            return True
        held = next((token for token in self._tokens if token in text), None)
        return held is not None and any(text.replace(held, token) in come for token in self._issued)

    def _nearest(self, request: Request) -> str:
        if not self._entries:
            return "it has no requests over HTTP"

        def likeness(entry: HttpEntry) -> float:
            same = SequenceMatcher(None, unquote(entry.path), request.path, autojunk=False).ratio()
            return same + 0.2 * (entry.method == request.method) + 0.1 * (sorted(entry.query) == sorted(request.pairs))

        near = max(self._entries, key=likeness)
        query = "&".join(f"{name}={text}" for name, text in near.query)
        body = ", with another body" if fits(near, request) else ""
        return f"the nearest is {near.method} {near.path}{'?' + query if query else ''}{body}"


def fits(entry: HttpEntry, request: Request) -> bool:
    """Whether an entry is about a request, whatever the bodies: same method, path, and query in any order."""
    if entry.method != request.method or not matches(unquote(entry.path), request.path, "[^/]*"):
        return False
    left = list(request.pairs)
    # The pairs with a `*` take what the others leave.
    for name, text in sorted(entry.query, key=lambda pair: "*" in pair[1]):
        found = next((pair for pair in left if pair[0] == name and matches(text, pair[1])), None)
        if found is None:
            return False
        left.remove(found)
    return not left


def matches(pattern: str, text: str, anything: str = ".*") -> bool:
    """Whether a text is the one of a recording, in which `*` stands for `anything`."""
    if "*" not in pattern:
        return pattern == text
    return re.fullmatch(anything.join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


def _is_wide(entry: HttpEntry) -> bool:
    return "*" in entry.path or any("*" in text for _, text in entry.query)


def _of_scenario(entries: Sequence[HttpEntry], scenario: str) -> list[HttpEntry]:
    """The entries of a scenario first; without it those that are usual, where there are any for the same request."""
    wanted = (scenario,) if scenario else ("", "default")
    usual = {_key(entry) for entry in entries if entry.scenario in wanted}
    return [entry for entry in entries if entry.scenario in wanted or _key(entry) not in usual]


def _key(entry: HttpEntry) -> tuple[str, str, tuple[tuple[str, str], ...], str | None]:
    return entry.method, entry.path, tuple(sorted(entry.query)), entry.body


def _by_body(entries: Sequence[HttpEntry], numbers: list[int], request: Request) -> list[int]:
    """Those whose body is the request's. Where all have the same, only what looks like a login in it matters."""
    bodies = {entries[number].body for number in numbers}
    if len(bodies) > 1:
        return [number for number in numbers if _same_body(entries[number].body, request)]
    body = next(iter(bodies), None)
    if body is None or _login_of(_parsed(body)).items() <= _login_of(_parsed(_text(request))).items():
        return numbers
    return []


def _is_login(body: str | None, request: Request) -> bool:
    """Whether a request logs in where the recorded one did, as somebody else."""
    recorded = _login_of(_parsed(body)) if body else {}
    return bool(recorded) and recorded.keys() == _login_of(_parsed(_text(request))).keys()


def _same_body(body: str | None, request: Request) -> bool:
    text = _text(request)
    if body is None:
        return not text
    if body == text:
        return True
    return _contained(_parsed(body), _parsed(text))


def _contained(wanted: Any, come: Any) -> bool:
    """Whether JSON or a form is the recorded one, in which the text `*` stands for anything."""
    if wanted == "*":
        return True
    if isinstance(wanted, dict) and isinstance(come, dict):
        return wanted.keys() == come.keys() and all(_contained(wanted[key], come[key]) for key in wanted)
    return bool(wanted == come)


def _text(request: Request) -> str:
    return request.body.decode("utf-8", "replace")


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        pairs = parse_qsl(body, keep_blank_values=True) if "=" in body and "<" not in body else []
        return dict(pairs) if pairs else body


def _login_of(body: Any, path: str = "") -> dict[str, str]:
    """The texts in a body that look like a login's, by their place."""
    found: dict[str, str] = {}
    if isinstance(body, dict):
        for key, value in body.items():
            if isinstance(value, str) and _LOGIN_WORDS.search(key) and value != "*":
                found[f"{path}.{key}"] = value
            else:
                found |= _login_of(value, f"{path}.{key}")
    elif isinstance(body, list):
        for place, value in enumerate(body):
            found |= _login_of(value, f"{path}[{place}]")
    return found
