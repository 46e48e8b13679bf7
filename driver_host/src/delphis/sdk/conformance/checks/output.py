"""What the host prints, and the memory that it takes."""

from __future__ import annotations

from collections.abc import Iterator

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import NotRun, demands
from delphis.sdk.conformance.report import Problem
from delphis.sdk.testing.family import resident_bytes

_LINES_A_CALL = 100
_WARM = 2
_ROUNDS = 6
_MOST_GROWTH = 24 << 20


@demands("output.quiet", "A call prints at most 100 lines: the core keeps 50 a second of them.")
def quiet(bench: Bench) -> Iterator[Problem]:
    host = bench.started_host
    _ = bench.storage
    names = ["GetStorage", *(method.name for method in bench.list_methods())]
    for rpc in names:
        before = host.output.lines
        bench.call(rpc)
        host.output.settle()  # its last lines may come after its answer
        printed = host.output.lines - before
        if printed > _LINES_A_CALL:
            yield Problem(f"It printed {printed} lines.", rpc, "Log at DEBUG what is about single resources.")


@demands("output.text", "What the host prints is UTF-8 text.")
def text(bench: Bench) -> Iterator[Problem]:
    host = bench.started_host
    host.output.settle()
    for line in host.output.kept:
        try:
            decoded = line.decode("utf-8")
        except UnicodeDecodeError:
            yield Problem(f"A line is no UTF-8: {line[:60]!r}.", "the log", "Encode what is printed.")
            return
        if any(ord(character) < 32 and character not in "\t\r\x1b" for character in decoded):
            yield Problem(f"A line has control characters: {decoded[:60]!r}.", "the log", "Print repr() of it.")
            return


@demands("output.memory", "Lists that are read again and again take no more memory.")
def memory(bench: Bench) -> Iterator[Problem]:
    host = bench.started_host
    listings = bench.lists()
    quickly = [listing.method for listing in listings if listing.reply.seconds < 1]
    if not quickly:
        raise NotRun("every list takes more than a second")
    for _ in range(_WARM):
        for method in quickly:
            bench.list_now(method)
    before = resident_bytes(host.pid)
    for _ in range(_ROUNDS):
        for method in quickly:
            bench.list_now(method)
    grown = resident_bytes(host.pid) - before
    if bench.started_host is host and grown > _MOST_GROWTH:
        yield Problem(
            f"It grew by {grown >> 20} MiB over {_ROUNDS} rounds of {len(quickly)} lists.",
            "the host's memory",
            "Keep nothing of an answer once it was given.",
        )
