"""What the client bounds: repetitions, time, rate, size, pages."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from delphis.sdk import Context, RestAccess, errors
from delphis.sdk.http import Page, RateLimit, RestSession, Retry, by_offset, by_token
from tests.sdk_http.certificates import Certificate
from tests.sdk_http.server import Asked, Says, ScriptedServer, listening, serving

Serve = Callable[..., ScriptedServer]
Make = Callable[..., RestSession]


def after(failures: Sequence[Says]) -> Callable[[Asked], Says]:
    """Fails so often, then works."""
    left = list(failures)
    return lambda _: left.pop(0) if left else Says({"fine": True})


IN_AN_HOUR = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

# ---- Repetition ----


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_reads_are_repeated(serve: Serve, session: Make, context: Context, status: int) -> None:
    server = serve(after([Says({}, status), Says({}, status)]))
    assert session(server.access()).get(context, "/").ok
    assert len(server.asked) == 3


def test_but_not_for_ever(serve: Serve, session: Make, context: Context) -> None:
    server = serve(after([Says({}, 502)] * 9))
    with pytest.raises(errors.ArrayUnreachable):
        session(server.access()).get(context, "/")
    assert len(server.asked) == 3


@pytest.mark.parametrize(("method", "times"), [("POST", 1), ("PATCH", 1), ("PUT", 3), ("DELETE", 3)])
def test_only_what_does_no_harm_twice(serve: Serve, session: Make, context: Context, method: str, times: int) -> None:
    server = serve(after([Says({}, 503)] * 9))
    with pytest.raises(errors.ArrayBusy):
        session(server.access()).request(context, method, "/")
    assert len(server.asked) == times


def test_a_post_may_be_declared_harmless(serve: Serve, session: Make, context: Context) -> None:
    server = serve(after([Says({}, 503)]))
    assert session(server.access()).post(context, "/query", json={}, idempotent=True).ok


def test_other_statuses_are_not_repeated(serve: Serve, session: Make, context: Context) -> None:
    server = serve(after([Says({}, 500)]))
    with pytest.raises(errors.StorageBackendException):
        session(server.access()).get(context, "/")
    assert len(server.asked) == 1


def test_waits_as_long_as_the_array_asks(serve: Serve, session: Make, context: Context) -> None:
    server = serve(after([Says({}, 429, {"Retry-After": "1"})]))
    began = time.monotonic()
    assert session(server.access()).get(context, "/").ok
    assert time.monotonic() - began >= 1.0


def test_tells_the_caller_of_a_long_pause(serve: Serve, session: Make, context: Context) -> None:
    server = serve(after([Says({}, 429, {"Retry-After": "600"})]))
    with pytest.raises(errors.ArrayBusy) as raised:
        session(server.access()).get(context, "/")
    assert raised.value.retry_after == 600.0
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [("7", 7, 7), (IN_AN_HOUR, 2400, 3600), ("soon", 10, 10), ("", 10, 10), ("-3", 10, 10)],
    ids=["seconds", "a date", "a word", "nothing", "negative"],
)
def test_how_the_pause_is_said(
    serve: Serve, session: Make, context: Context, value: str, low: float, high: float
) -> None:
    server = serve(lambda _: Says({}, 503, {"Retry-After": value}))
    with pytest.raises(errors.ArrayBusy) as raised:
        session(server.access()).post(context, "/")
    assert raised.value.retry_after is not None
    assert low <= raised.value.retry_after <= high


def test_a_broken_connection_is_repeated_once_the_array_has_answered(
    serve: Serve, session: Make, context: Context
) -> None:
    server = serve(after([Says({}), Says(raw=b""), Says(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")]))
    api = session(server.access())
    assert api.get(context, "/").ok
    assert api.get(context, "/").ok
    assert len(server.asked) == 4


def test_half_an_answer(serve: Serve, session: Make, context: Context) -> None:
    server = serve(lambda _: Says(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"))
    with pytest.raises(errors.ArrayUnreachable, match="middle"):
        session(server.access()).get(context, "/")
    assert len(server.asked) == 3


def test_no_http(serve: Serve, session: Make, context: Context) -> None:
    server = serve(lambda _: Says(raw=b"220 smtp ready\r\n"))
    with pytest.raises(errors.InvalidIpOrPort, match="no HTTP"):
        session(server.access()).get(context, "/")


def test_an_array_that_goes_away(session: Make, context: Context) -> None:
    with serving(lambda _: Says({}, headers={"Connection": "close"})) as server:
        api = session(server.access())
        assert api.get(context, "/").ok
    with pytest.raises(errors.ArrayUnreachable, match="refused"):
        api.get(context, "/")


def test_delays_grow_and_differ() -> None:
    retry = Retry(attempts=9, first_delay=1.0, longest_delay=5.0)
    for attempt, most in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 5.0), (8, 5.0)):
        delays = {retry.delay(attempt) for _ in range(50)}
        assert len(delays) > 1
        assert all(delay is not None and most / 2 <= delay <= most for delay in delays)
    assert retry.delay(9) is None
    assert retry.delay(1, 5.0) == 5.0
    assert retry.delay(1, 5.1) is None


# ---- Time ----


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("part", ["body", "chunks"])
def test_the_deadline_ends_an_answer_that_never_ends(
    serve: Serve, session: Make, certificate: Certificate, part: str, tls: bool
) -> None:
    """Each byte comes in time, so no timeout of a socket ever strikes."""
    chunked = {"Transfer-Encoding": "chunked"}
    says = {
        "body": Says(b" " * 4000, trickle=0.05),
        "chunks": Says(b"a00\r\n" + b" " * 4000, headers=chunked, trickle=0.05),
    }[part]
    server = serve(lambda _: says, certificate if tls else None)
    began = time.monotonic()
    with pytest.raises(errors.ArrayTimeout):
        session(server.access()).get(Context(timeout=0.6), "/")
    assert time.monotonic() - began < 30


def test_the_deadline_ends_headers_that_never_end(session: Make) -> None:
    """The status line comes, then one byte of a header after the other."""
    stop = threading.Event()
    with listening() as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Endless: ")
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            access = RestAccess(host="127.0.0.1", port=listener.getsockname()[1])
            access.tls.plaintext = True
            began = time.monotonic()
            with pytest.raises(errors.ArrayTimeout):
                session(access).get(Context(timeout=0.6), "/")
            assert time.monotonic() - began < 30
        finally:
            stop.set()
            thread.join()


def test_the_read_timeout_is_apart_from_the_deadline(session: Make) -> None:
    with listening() as listener:
        access = RestAccess(host="127.0.0.1", port=listener.getsockname()[1])
        access.tls.plaintext = True
        access.read_timeout.FromMilliseconds(300)
        began = time.monotonic()
        with pytest.raises(errors.ArrayTimeout):
            session(access).get(Context(timeout=60), "/")
        assert 0.2 < time.monotonic() - began < 30


def test_the_connect_timeout(session: Make) -> None:
    # A queue of one that is full: further connections hang as at an address that is not there.
    with listening(backlog=0) as listener, ThreadPoolExecutor(4) as pool:
        port = listener.getsockname()[1]
        access = RestAccess(host="127.0.0.1", port=port)
        access.tls.plaintext = True
        access.connect_timeout.FromMilliseconds(300)
        access.read_timeout.FromMilliseconds(1500)

        def ask(_: int) -> str:
            try:
                session(access).get(Context(timeout=60), "/")
            except errors.DriverError as error:
                return error.reason
            return "answered"

        reasons = list(pool.map(ask, range(4)))
    assert "CONNECT_TIMEOUT" in reasons
    assert set(reasons) <= {"CONNECT_TIMEOUT", "ARRAY_TIMEOUT"}


def test_no_time_left_is_said_before_anything_is_sent(serve: Serve, session: Make) -> None:
    server = serve(lambda _: Says({}))
    with pytest.raises(errors.ArrayTimeout):
        session(server.access()).get(Context(timeout=0.0), "/")
    assert server.asked == []


def test_repetitions_end_with_the_deadline(serve: Serve, session: Make) -> None:
    class Patient(RestSession):
        retry = Retry(attempts=1000, first_delay=0.1, longest_delay=0.1)

    server = serve(lambda _: Says({}, 502))
    began = time.monotonic()
    # Which of them depends on what goes on at the deadline: a pause, or a request.
    with pytest.raises((errors.ArrayUnreachable, errors.ArrayTimeout)):
        session(server.access(), Patient).get(Context(timeout=1.0), "/")
    assert time.monotonic() - began < 30
    assert 2 <= len(server.asked) <= 20


# ---- Rate ----


def test_the_rate_of_an_array_is_kept_by_all_threads(serve: Serve, session: Make, context: Context) -> None:
    server = serve(lambda _: Says({}))
    api = session(server.access(max_requests_per_second=20.0))
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: api.get(context, "/"), range(11)))
    assert time.monotonic() - began >= 0.5 - 0.01
    assert len(server.asked) == 11


def test_no_time_for_the_rate() -> None:
    limit = RateLimit(0.1)
    limit.wait(Context(timeout=1))
    with pytest.raises(errors.ArrayTimeout, match=r"0\.1 requests"):
        limit.wait(Context(timeout=1))


def test_a_burst_and_no_limit() -> None:
    began = time.monotonic()
    burst, free = RateLimit(1.0, burst=5), RateLimit(0.0)
    for _ in range(5):
        burst.wait(Context(timeout=1))
    for _ in range(1000):
        free.wait(Context(timeout=1))
    assert time.monotonic() - began < 3.5  # four seconds without the burst


# ---- Size ----


class Small(RestSession):
    most_bytes = 10_000


@pytest.mark.parametrize(
    "says",
    [
        Says(b"x" * 10_001),
        Says(b"2711\r\n" + b"x" * 10_001 + b"\r\n0\r\n\r\n", headers={"Transfer-Encoding": "chunked"}),
        Says(gzip.compress(b"x" * 5_000_000), headers={"Content-Encoding": "gzip"}),
    ],
    ids=["announced", "chunked", "compressed"],
)
def test_answers_that_are_too_large(serve: Serve, session: Make, context: Context, says: Says) -> None:
    server = serve(lambda _: says)
    with pytest.raises(errors.BadResponse, match="10000 bytes"):
        session(server.access(), Small).get(context, "/")
    assert len(server.asked) == 1


def test_the_largest_answer(serve: Serve, session: Make, context: Context) -> None:
    assert len(session(serve(lambda _: Says(b"x" * 10_000)).access(), Small).get(context, "/").body) == 10_000


def test_an_answer_that_cannot_be_decompressed(serve: Serve, session: Make, context: Context) -> None:
    server = serve(lambda _: Says(b"no gzip", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(errors.BadResponse, match="decompressed"):
        session(server.access()).get(context, "/")


# ---- Pages ----


def offsets(items: Sequence[int], *, total: bool, clamp: int = 1000) -> list[int]:
    def fetch(offset: int, size: int) -> Page[int]:
        return Page(items[offset : offset + min(size, clamp)], total=len(items) if total else None)

    return [item for page in by_offset(fetch, size=10) for item in page.items]


@pytest.mark.parametrize("total", [True, False])
@pytest.mark.parametrize("clamp", [3, 1000])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 30])
def test_pages_by_offset(total: bool, clamp: int, count: int) -> None:
    assert offsets(range(count), total=total, clamp=clamp) == list(range(count))


def test_an_array_that_ignores_the_offset() -> None:
    with pytest.raises(errors.BadResponse, match="same 10 items"):
        list(by_offset(lambda _offset, size: Page(list(range(size))), size=10))


def test_pages_by_token() -> None:
    pages = {None: Page([1, 2], next="b"), "b": Page([3], next="c"), "c": Page([4], next="")}
    assert [item for page in by_token(pages.__getitem__) for item in page.items] == [1, 2, 3, 4]
    circle = {None: Page([1], next="b"), "b": Page([2], next="b")}
    with pytest.raises(errors.BadResponse, match="back"):
        list(by_token(circle.__getitem__))


# ---- Weight ----


def test_the_library_is_loaded_with_the_first_request_only() -> None:
    program = (
        "import sys; from delphis.sdk import RestAccess; from delphis.sdk.http import RestSession;"
        "RestSession(RestAccess(host='127.0.0.1')); sys.exit('requests' in sys.modules or 'urllib3' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
