"""The table of a recording: each private text and the one that stands for it, everywhere."""

from __future__ import annotations

import base64
import random
import re
import secrets
from collections.abc import Callable, Iterable
from functools import partial

from delphis.sdk.recording import patterns, shapes
from delphis.sdk.recording.vocabulary import Kind, kind_of
from delphis.sdk.redaction import SHORTEST_ANYWHERE, spellings_of

_RUN = re.compile(r"[^\W_]+")
_HEXADECIMAL = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]?){8,16}")
_SHORTEST = 4
# Words that give nobody away; replacing them would break commands, paths and enums.
_COMMON = frozenset(
    (
        *("none", "null", "unknown", "true", "false", "default", "localhost", "admin", "administrator", "root", "user"),
        *("monitor", "service", "system", "manage", "operator", "guest", "superuser", "username", "password", "local"),
        *(
            "unavailable",
            "undefined",
            "normal",
            "enabled",
            "disabled",
            "online",
            "offline",
            "basic",
            "bearer",
            "session",
        ),
        *(
            "not available",
            "not applicable",
            "storage",
            "host",
            "node",
            "cluster",
            "array",
            "server",
            "domain",
            "global",
        ),
    )
)
_AUTHORITIES = re.compile(
    r"com\.(?:microsoft|redhat|vmware|purestorage|emc|dell|netapp|hp|hpe|3pardata|huawei|ibm|hitachi|fujitsu|suse|oracle"
    r"|sun|qlogic|broadcom|nimblestorage|equallogic)|org\.(?:debian|freebsd|linux-iscsi|nvmexpress|open-iscsi)"
)


class Replacements:
    """Replaces the same text by the same text, of the same shape. First `learn` everything, then `scrub`.

    The choice is random in each recording: nothing of the replaced texts can be found out from what stands for them.
    """

    def __init__(
        self, known: Iterable[str] = (), *, words: Iterable[str] = (), dice: random.Random | None = None
    ) -> None:
        """
        Args:
            known: Secrets: replaced in every spelling, and even within words.
            words: Other texts to replace: host names, user names, the name of a customer.
            dice: For tests that want the same replacements each time.
        """
        self._dice = dice or random.Random(secrets.randbits(256))
        self._table: dict[tuple[str, str], str] = {}
        self._used: set[str] = set()
        self._numbers = {"ipv4": 0, "ipv6": 0}
        self._words: dict[str, list[str]] = {}
        self._spellings: list[tuple[str, str]] = []
        self.made_secrets: set[str] = set()
        """What stands for secrets."""
        for secret in known:
            self.learn_secret(secret)
        for word in words:
            if word.strip() and word.lower() not in _COMMON and not any(patterns.find(word)):
                self._learn_word(word, SHORTEST_ANYWHERE // 2)

    # ---- Learning ----

    def learn(self, key: str, text: str) -> None:
        """Notes what a field of this name tells, so that it is replaced wherever else it stands."""
        kind, text = kind_of(key), text.strip()
        if kind is None or kind is Kind.VERSION or text.lower() in _COMMON or "\n" in text:
            return
        if kind is Kind.SECRET:
            if len(text) >= SHORTEST_ANYWHERE:
                self.learn_secret(text)
        elif len(text) <= 128 and not any(patterns.find(text)):
            if kind is Kind.SERIAL and not any(each.isdigit() for each in text):
                return
            if kind is Kind.WWN and not _HEXADECIMAL.fullmatch(text):
                return
            self._learn_word(text, _SHORTEST)

    def learn_secret(self, secret: str) -> None:
        """Notes a secret. It is replaced in all its spellings: escaped, quoted, in base64."""
        if not secret.strip() or ("secret", secret) in self._table:
            return
        made = self._new("secret", secret, lambda: shapes.like(secret, self._dice))
        if made == secret:  # nothing but punctuation
            made = self._table["secret", secret] = "-" * (len(secret) + 1)
        self.made_secrets.add(made)
        pairs = {(spelling, _respelt(secret, made, spelling)) for spelling in spellings_of(secret)}
        if len(secret) < SHORTEST_ANYWHERE:
            pairs = {(spelling, other) for spelling, other in pairs if len(spelling) < 3 * len(secret)}
        self._spellings = sorted({*self._spellings, *pairs}, key=lambda pair: (-len(pair[0]), pair))

    def _learn_word(self, word: str, shortest: int) -> None:
        runs = _RUN.findall(word)
        if len(word) < shortest or not runs or not word[0].isalnum() or not word[-1].isalnum():
            return
        known = self._words.setdefault(runs[0], [])
        if word not in known:
            known.append(word)
            known.sort(key=len, reverse=True)

    # ---- Replacing ----

    def value(self, key: str, text: str) -> str:
        """What stands for a field's value."""
        kind = kind_of(key)
        if kind is Kind.SECRET and text.strip() and text.strip().lower() not in _COMMON:
            whole = text.strip()
            if len(whole) >= SHORTEST_ANYWHERE or ("secret", whole) in self._table:
                self.learn_secret(whole)
                return text.replace(whole, self._table["secret", whole])
            return text.replace(whole, self._new("short", whole, lambda: shapes.like(whole, self._dice)))
        return self.scrub(text, addresses=kind is not Kind.VERSION)

    def scrub(self, text: str, *, addresses: bool = True) -> str:
        """A text with everything private in it replaced.

        Args:
            text: Any text.
            addresses: False where dotted numbers are versions.
        """
        pieces: list[tuple[str, bool]] = [(text, False)]
        for spelling, made in self._spellings:
            if spelling in text:
                pieces = _split(pieces, partial(_occurrences, spelling, made))
        pieces = _split(pieces, lambda piece: self._looks(piece, addresses))
        return "".join(piece for piece, _ in _split(pieces, self._known_words))

    def basic(self, credentials: str) -> str:
        """What stands for `user:password` in base64."""
        try:
            user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except ValueError:
            return self.value("authorization", credentials)
        return base64.b64encode(f"{self.value('username', user)}:{self.value('password', password)}".encode()).decode()

    def _looks(self, text: str, addresses: bool) -> list[tuple[int, int, str]]:
        return [
            (each.start, each.end, self._for_look(each.look, text[each.start : each.end]))
            for each in patterns.find(text, addresses=addresses)
        ]

    def _for_look(self, look: str, text: str) -> str:
        match look:
            case "ipv4" | "ipv6":
                make = shapes.address if look == "ipv4" else shapes.address_6
                return self._new(look, text.lower(), lambda: make(self._next(look)))
            case "wwn" | "mac":
                digits = re.sub(r"[:-]", "", text).lower()
                shape = shapes.wwn if look == "wwn" else shapes.mac
                return shapes.spelt_like(self._new(look, digits, lambda: shape(digits, self._dice)), text)
            case "iqn" | "nqn":
                head, colon, tail = text.partition(":")
                kind, month, authority = head.split(".", 2)
                if not _AUTHORITIES.fullmatch(authority):
                    authority = self._new(
                        "authority", authority, lambda: f"example.{shapes.like('abcdef', self._dice)}"
                    )
                return f"{kind}.{month}.{authority}{colon}{self._for_word(tail) if tail else ''}"
            case "mail":
                user, _, name = text.partition("@")
                return f"{self._for_word(user)}@{self._for_look('name', name)}"
            case _:
                first, _, domain = text.partition(".")
                end = self._new("domain", domain.lower(), lambda: f"{shapes.like('abcdef', self._dice)}.example")
                return f"{self._for_word(first)}.{end}"

    def _new_authority(self) -> str:
        return f"example.{shapes.like('abcdef', self._dice)}"

    def _known_words(self, text: str) -> list[tuple[int, int, str]]:
        found: list[tuple[int, int, str]] = []
        past = 0
        for run in _RUN.finditer(text) if self._words else ():
            if run.start() < past:
                continue
            for word in self._words.get(run.group(), ()):
                past = run.start() + len(word)
                if text.startswith(word, run.start()) and not text[past : past + 1].isalnum():
                    found.append((run.start(), past, self._for_word(word)))
                    break
            else:
                past = run.end()
        return found

    def _for_word(self, word: str) -> str:
        return self._new("word", word, lambda: shapes.like(word, self._dice))

    def _next(self, look: str) -> int:
        self._numbers[look] += 1
        return self._numbers[look] - 1

    def _new(self, sort: str, text: str, make: Callable[[], str]) -> str:
        """The replacement of a text: the one that it has, or one that no other text has."""
        made = self._table.get((sort, text))
        if made is None:
            for _ in range(1000):  # a text of one digit has few shapes: two of them may get the same then
                made = make()
                if made != text and made not in self._used:
                    break
            assert made is not None
            self._used.add(made)
            self._table[sort, text] = made
        return made


def _respelt(secret: str, made: str, spelling: str) -> str:
    """The replacement in the spelling of the secret."""
    raw = secret.encode("utf-8", "surrogateescape")
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        if encode(raw).decode() == spelling:
            return encode(made.encode()).decode()
    return made


def _occurrences(spelling: str, made: str, text: str) -> list[tuple[int, int, str]]:
    pattern = re.escape(spelling)
    if len(spelling) < SHORTEST_ANYWHERE:
        pattern = rf"(?<!\w){pattern}(?!\w)"
    return [(*match.span(), made) for match in re.finditer(pattern, text)]


def _split(pieces: list[tuple[str, bool]], find: Callable[[str], list[tuple[int, int, str]]]) -> list[tuple[str, bool]]:
    """The pieces with what was found replaced; what is replaced is not looked at again."""
    result: list[tuple[str, bool]] = []
    for piece, done in pieces:
        at = 0
        for start, end, made in () if done else find(piece):
            result += [(piece[at:start], False), (made, True)]
            at = end
        result.append((piece[at:], done))
    return result
