"""POSTs: with time limits, without redirects, and reading no more of an answer than is of use."""

from __future__ import annotations

import asyncio
import email.utils
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from services.outbound.errors import Refused, Unavailable, bounded
from services.outbound.timeouts import Timeouts

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver

READ_BYTES = 16 * 1024
EXCERPT = 200

# The content was judged. Other 4xx speak of the address, the credentials or the moment: those an operator, or time, can
# mend, and to drop events for them would empty the log into a wall.
_CONTENT_REFUSED = frozenset({400, 406, 409, 411, 412, 413, 414, 415, 416, 417, 418, 422, 431, 451})


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """With which we prove ourselves to a server, PEM both."""

    chain: str
    key: str


class Tls(Protocol):
    """What the contract's messages say of how a server is verified."""

    @property
    def ca_certificates(self) -> str:
        """PEM; empty: those of the system."""
        ...

    @property
    def insecure_skip_verify(self) -> bool:
        """Take any certificate."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    retry_after: float
    location: str
    excerpt: str
    body: bytes
    """Of an answer that was asked for."""


class HttpClient:
    """POSTs to one server, over connections of its own."""

    def __init__(
        self,
        tls: Tls,
        timeouts: Timeouts,
        *,
        headers: Mapping[str, str],
        secrets: Iterable[str],
        content_type: str = "application/json",
        certificate: ClientCertificate | None = None,
    ) -> None:
        """`secrets` are kept out of every message, should the server send them back."""
        self._tls = tls
        self._certificate = certificate
        self._timeouts = timeouts
        self._headers = {**headers, "Content-Type": content_type, "User-Agent": "Delphis"}
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Posts, and returns if the answer is 200 to 299; else Unavailable or Refused."""
        await self.ask(url, body, headers, most=0)

    async def ask(self, url: str, body: bytes, headers: Mapping[str, str], *, most: int) -> bytes:
        """Posts, and returns the first `most` bytes of what is answered, and one more where there are more."""
        import aiohttp

        try:
            answer = await self._post(url, body, headers, most)
        except TimeoutError:
            raise Unavailable("It did not answer in time.") from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise Unavailable(self._clean(f"Its certificate is not trusted: {error.certificate_error}.")) from None
        except aiohttp.ClientConnectorSSLError as error:
            raise Unavailable(self._clean(f"TLS failed: {error.os_error}.")) from None
        except aiohttp.ClientConnectorError as error:
            raise Unavailable(self._clean(f"No connection: {error.os_error.strerror or error.os_error}.")) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unavailable(self._clean(f"The connection failed: {str(error) or type(error).__name__}.")) from None
        self._judge(answer)
        return answer.body

    async def close(self) -> None:
        """Closes the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str], most: int) -> Answer:
        import aiohttp

        session = await self._open(url)
        sent = {**self._headers, **headers}
        for last in (False, True):
            try:
                async with session.post(url, data=body, headers=sent, allow_redirects=False) as response:
                    good = 200 <= response.status < 300
                    return Answer(
                        response.status,
                        _retry_after(response.headers.get("Retry-After", "")),
                        response.headers.get("Location", ""),
                        "" if good else await self._excerpt(response),
                        await _first(response, most + 1) if good and most else b"",
                    )
            except aiohttp.ServerDisconnectedError:
                # It closed a kept connection just when we used it: that is no failure of its own.
                if last:
                    raise
        raise AssertionError("not reached")

    async def _open(self, url: str) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None:
            # To load the system's certificates takes 30 ms.
            context = await asyncio.to_thread(self._context) if url.startswith("https:") else True
            limits = self._timeouts
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=context, limit=2, resolver=_resolver(), use_dns_cache=False, keepalive_timeout=15
                ),
                timeout=aiohttp.ClientTimeout(
                    total=limits.total_timeout,
                    sock_connect=limits.connect_timeout,
                    sock_read=limits.read_timeout,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                max_line_size=8190,
                max_field_size=8190,
            )
        return self._session

    def _context(self) -> ssl.SSLContext:
        context = tls_context(self._tls)
        if self._certificate is not None:
            load_certificate(context, self._certificate)
        return context

    async def _excerpt(self, response: aiohttp.ClientResponse) -> str:
        import aiohttp

        body = b""
        try:
            while len(body) < READ_BYTES and (part := await response.content.read(READ_BYTES - len(body))):
                body += part
        except (aiohttp.ClientError, OSError, TimeoutError):
            pass  # the status says enough
        return self._clean(body.decode("utf-8", "replace"), EXCERPT)

    def _clean(self, text: str, limit: int = 300) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return bounded(text, limit)

    def _judge(self, answer: Answer) -> None:
        status = answer.status
        if 200 <= status < 300:
            return
        said = f": {answer.excerpt}" if answer.excerpt else "."
        if 300 <= status < 400:
            raise Unavailable(
                self._clean(
                    f"It answered {status} and points to {answer.location or 'nowhere'}; redirects are not followed."
                )
            )
        if status in _CONTENT_REFUSED:
            raise Refused(f"It answered {status}{said}")
        raise Unavailable(f"It answered {status}{said}", retry_after=answer.retry_after)


async def _first(response: aiohttp.ClientResponse, most: int) -> bytes:
    parts: list[bytes] = []
    while most > 0 and (part := await response.content.read(most)):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def tls_context(tls: Tls) -> ssl.SSLContext:
    """The context; ssl.SSLError or ValueError where the certificates are none."""
    context = ssl.create_default_context(cadata=tls.ca_certificates or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def load_certificate(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    """Lets the context prove itself with it; ssl.SSLError where it is none, or its key is another's."""
    # The context reads files alone. This one is in memory, and nobody else can open it.
    file = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(file, f"{certificate.key}\n{certificate.chain}\n".encode())
        # Else the library would ask for a passphrase at the terminal.
        context.load_cert_chain(f"/proc/self/fd/{file}", password=lambda: b"")
    finally:
        os.close(file)


def _retry_after(text: str) -> float:
    """Seconds, from seconds or a date; 0 for anything else."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), 86_400))
    try:
        at = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    return max(0.0, min(at.timestamp() - time.time(), 86_400.0))


def _resolver() -> AbstractResolver:
    from aiohttp.abc import AbstractResolver, ResolveResult

    class OwnThreadResolver(AbstractResolver):
        """Looks names up in a thread of the client's own: the loop's pool is small, and one dead name server would
        fill it with look-ups and keep all others waiting."""

        def __init__(self) -> None:
            self._running: threading.Thread | None = None

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            if self._running is not None and self._running.is_alive():
                raise OSError(f"the name {host} is still being looked up")
            loop = asyncio.get_running_loop()
            future: asyncio.Future[list[Any]] = loop.create_future()

            def answer(found: list[Any], error: OSError | None) -> None:
                if future.done():
                    return
                if error is None:
                    future.set_result(found)
                else:
                    future.set_exception(error)

            def look_up() -> None:
                found: list[Any] = []
                failed: OSError | None = None
                try:
                    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
                except OSError as error:
                    failed = error
                except UnicodeError:
                    failed = OSError(f"{host} is no name")
                try:
                    loop.call_soon_threadsafe(answer, found, failed)
                except RuntimeError:  # the loop is closed: nobody waits any more
                    return

            self._running = threading.Thread(target=look_up, name="name look-up", daemon=True)
            self._running.start()
            found = await future
            return [
                ResolveResult(
                    hostname=host,
                    host=address[0],
                    port=address[1],
                    family=found_family,
                    proto=protocol,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
                for found_family, _, protocol, _, address in found
            ]

        async def close(self) -> None:
            return

    return OwnThreadResolver()
