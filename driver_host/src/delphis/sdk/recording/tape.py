"""Keeps what a driver exchanged with an array, and makes of it a recording without anything private."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from delphis.sdk.recording import bodies
from delphis.sdk.recording.files import CommandEntry, HttpEntry, Pairs, Recording, ShellEntry
from delphis.sdk.recording.hook import Exchange, HttpExchange, SnmpVariable, SshExec, SshShell
from delphis.sdk.recording.replacements import Replacements
from delphis.sdk.recording.snmprec import known_as, line_of
from delphis.sdk.recording.vocabulary import Kind, kind_of

# Headers that say nothing of the array or of its user, or that a simulator makes itself.
_USUAL = frozenset(
    (
        *("host", "user-agent", "accept", "accept-encoding", "accept-language", "connection", "content-length"),
        *("content-type", "transfer-encoding", "content-encoding", "date", "server", "keep-alive", "vary", "via"),
    )
)
_SHORTEST_TOKEN = 8


class Tape:
    """A `Recorder` that keeps everything in memory until `recording` is called."""

    def __init__(self) -> None:
        self._exchanges: list[Exchange] = []
        self._lock = threading.Lock()

    def record(self, exchange: Exchange, /) -> None:
        """Keeps an exchange."""
        with self._lock:
            self._exchanges.append(exchange)

    def __len__(self) -> int:
        return len(self._exchanges)

    def recording(self, replacements: Replacements, *, access: Any = None) -> Recording:
        """What was kept, with everything private replaced.

        Args:
            replacements: Knows the secrets and names of the access info.
            access: Goes into the recording as it is: access info of the simulated array.
        """
        with self._lock:
            exchanges = list(self._exchanges)
        requests = [each for each in exchanges if isinstance(each, HttpExchange)]
        for token in _tokens(requests):
            replacements.learn_secret(token)
        for each in exchanges:
            _learn(each, replacements)
        http = tuple(_replaced(each, replacements) for each in requests)
        answers = "\n".join(_texts(http))
        variables = {each.oid: each for each in exchanges if isinstance(each, SnmpVariable)}
        return Recording(
            http=http,
            commands=tuple(
                CommandEntry(
                    replacements.scrub(each.command),
                    _output(each.stdout, replacements),
                    _output(each.stderr, replacements),
                    each.exit_status or 0,
                )
                for each in exchanges
                if isinstance(each, SshExec)
            ),
            shell=tuple(
                ShellEntry(replacements.scrub(each.sent), _output(each.received, replacements))
                for each in exchanges
                if isinstance(each, SshShell)
            ),
            tokens=frozenset(made for made in replacements.made_secrets if made in answers),
            snmp="".join(line_of(each, replacements) for each in _by_oid(variables.values())),
            access=access or {},
        )


def _by_oid(variables: Iterable[SnmpVariable]) -> list[SnmpVariable]:
    return sorted(variables, key=lambda each: [int(part) for part in each.oid.split(".")])


def _tokens(requests: Sequence[HttpExchange]) -> set[str]:
    """What requests carry in their headers that the array gave before, or that the header's name makes a secret."""
    found: set[str] = set()
    given = ""
    for each in requests:
        for name, text in each.request_headers:
            if name.lower() in _USUAL:
                continue
            for token in _parts(name, text):
                if len(token) >= _SHORTEST_TOKEN and (kind_of(name) is Kind.SECRET or token in given):
                    found.add(token)
        given += "\n".join((each.body.decode("utf-8", "replace"), *(text for _, text in each.headers), ""))
        for name, text in each.headers:
            if name.lower() == "set-cookie":
                found.add(text.partition(";")[0].partition("=")[2].strip('"'))
            elif kind_of(name) is Kind.SECRET:
                found.add(text)
    return {token for token in found if len(token) >= _SHORTEST_TOKEN}


def _parts(name: str, text: str) -> list[str]:
    """The secrets that a header may hold: what follows a scheme, the values of cookies."""
    if name.lower() == "cookie":
        return [pair.partition("=")[2].strip().strip('"') for pair in text.split(";")]
    scheme, _, rest = text.partition(" ")
    if name.lower() == "authorization" and rest:
        return [] if scheme.lower() in ("basic", "digest") else [rest]
    return [text]


def _learn(exchange: Exchange, replacements: Replacements) -> None:
    def note(key: str, text: str) -> str:
        replacements.learn(key, text)
        return text

    match exchange:
        case HttpExchange():
            kind = _content_type(exchange.request_headers)
            _body(exchange.request_body, kind, note)
            _body(exchange.body, _content_type(exchange.headers), note)
            for name, text in parse_qsl(urlsplit(exchange.url).query):
                note(name, text)
        case SshExec():
            _body(exchange.stdout, "", note)
        case SshShell():
            _body(exchange.received, "", note)
        case SnmpVariable():
            if (key := known_as(exchange.oid)) and exchange.value.isascii():
                note(key, exchange.value.decode().rstrip("\0"))


def _body(body: bytes, content_type: str, field: bodies.Field) -> bytes:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        # Every byte is a letter then, and becomes the same byte again.
        return bodies.text(body.decode("latin-1"), field).encode("latin-1", "replace")
    return bodies.rewrite(text, content_type, field).encode()


def _content_type(headers: Sequence[tuple[str, str]]) -> str:
    return next((text for name, text in headers if name.lower() == "content-type"), "")


def _output(output: bytes, replacements: Replacements) -> bytes:
    return _body(output, "", replacements.value)


def _replaced(each: HttpExchange, replacements: Replacements) -> HttpEntry:
    url = urlsplit(each.url)
    request = _body(each.request_body, _content_type(each.request_headers), replacements.value)
    path = "/".join(_segment(part, replacements) for part in url.path.split("/"))
    return HttpEntry(
        each.method,
        path,
        tuple((name, replacements.value(name, text)) for name, text in parse_qsl(url.query, keep_blank_values=True)),
        request.decode("utf-8", "replace") if request else None,
        _needs(each.request_headers, replacements),
        each.status,
        tuple(
            (name, _header(name, text, replacements.scrub))
            for name, text in each.headers
            if name.lower() not in _USUAL or name.lower() == "content-type"
        ),
        _body(each.body, _content_type(each.headers), replacements.value),
    )


def _segment(part: str, replacements: Replacements) -> str:
    plain = unquote(part)
    made = replacements.scrub(plain)
    return part if made == plain else quote(made, safe="")


def _needs(headers: Sequence[tuple[str, str]], replacements: Replacements) -> Pairs:
    """The headers of a request that hold secrets, replaced."""
    found: list[tuple[str, str]] = []
    for name, text in headers:
        if name.lower() in _USUAL:
            continue
        scheme, _, rest = text.partition(" ")
        if name.lower() in ("authorization", "proxy-authorization") and scheme.lower() == "basic":
            found.append((name, f"{scheme} {replacements.basic(rest.strip())}"))
        elif name.lower() in ("authorization", "proxy-authorization") and scheme.lower() == "digest":
            found.append((name, f"{scheme} *"))
        elif kind_of(name) is Kind.SECRET or replacements.scrub(text) != text:
            found.append((name, _header(name, text, replacements.scrub)))
    return tuple(found)


def _header(name: str, text: str, scrub: Callable[[str], str]) -> str:
    """A header's text, replaced. What is left of a header that is secret by its name was found out of its parts."""
    made = scrub(text)
    if made == text and kind_of(name) is Kind.SECRET and name.lower() not in ("cookie", "set-cookie"):
        return re.sub(r"\S{8,}$", "*", text)
    return made


def _texts(entries: Iterable[HttpEntry]) -> Iterable[str]:
    for entry in entries:
        yield entry.answer.decode("utf-8", "replace")
        yield from (text for _, text in entry.headers)
