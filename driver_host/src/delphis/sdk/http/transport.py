"""Sends single requests with `requests`. This module loads that library; nothing else of the package does."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from delphis.sdk.http.deadline import WATCH, Guard
from delphis.sdk.http.endpoint import Endpoint
from delphis.sdk.http.failures import AnswerTooLarge, DeadlinePassed
from delphis.sdk.http.reply import Reply
from delphis.sdk.http.tls import TlsSettings
from delphis.sdk.recording.hook import HttpExchange, recorder

CHUNK = 64 * 1024
MOST_CONNECTIONS = 16


class _Connection(HTTPConnection):
    """A connection that is shut down when the deadline of the request that uses it has passed."""

    def _new_conn(self) -> Any:
        connection = super()._new_conn()
        WATCH.guard(connection)
        return connection

    def request(self, *args: Any, **kwargs: Any) -> None:
        WATCH.guard(self.sock)  # None where `_new_conn` is still to be called
        super().request(*args, **kwargs)


class _TlsConnection(_Connection, HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        if self.ssl_context is not None and self.ssl_context.verify_mode == ssl.CERT_NONE:
            # The operator chose a pin, or nothing; the library's warning on each request is of no use to anybody.
            self.is_verified = True


class _Pool(HTTPConnectionPool):
    ConnectionCls = cast(Any, _Connection)


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = cast(Any, _TlsConnection)


class _Adapter(HTTPAdapter):
    """Leaves TLS to our settings: the library's own ideas of authorities and names are not asked."""

    def __init__(self, tls: TlsSettings | None) -> None:
        self._tls = tls
        super().__init__(pool_connections=1, pool_maxsize=MOST_CONNECTIONS, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        if self._tls is not None:
            pool_kwargs["ssl_context"] = self._tls.context
            pool_kwargs["cert_reqs"] = self._tls.context.verify_mode
            pool_kwargs["assert_fingerprint"] = self._tls.pinned_sha256
            pool_kwargs["server_hostname"] = self._tls.server_name
            if not self._tls.context.check_hostname:
                pool_kwargs["assert_hostname"] = False
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: bool | str | None, cert: Any = None
    ) -> tuple[Any, Any]:
        host, _ = super().build_connection_pool_key_attributes(request, True, cert)
        return host, {}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        return


class Transport:
    """The connections to one array."""

    def __init__(self, endpoint: Endpoint, *, keep_cookies: bool, most_bytes: int) -> None:
        """
        Args:
            endpoint: The array's address.
            keep_cookies: Cookies of the array are sent back to it.
            most_bytes: The largest body of an answer that is read.
        """
        self._most_bytes = most_bytes
        self._session = requests.Session()
        # No proxies, no passwords from files, no authorities from the environment of the host.
        self._session.trust_env = False
        self._session.mount(endpoint.url, _Adapter(endpoint.tls))
        if not keep_cookies:
            self._session.cookies = RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))

    def send(
        self,
        method: str,
        url: str,
        *,
        path: str,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        json: Any,
        data: bytes | str | Mapping[str, str] | None,
        connect_timeout: float,
        read_timeout: float,
        remaining: float,
    ) -> Reply:
        """Sends a request and reads the answer to its end.

        Args:
            method: Of HTTP.
            url: Complete, without parameters.
            path: What is said about the request in errors.
            params: Of the query.
            headers: Of the request.
            json: The body, as an object.
            data: The body, as it is, or a form.
            connect_timeout: Seconds to wait for a connection.
            read_timeout: Seconds to wait for more of the answer.
            remaining: Seconds until all is over, whatever is still to come.

        Raises:
            DeadlinePassed: It took longer than `remaining`.
            AnswerTooLarge: The body is larger than the limit.
            Exception: What the libraries raise; `failures` tells it in the words of the SDK.
        """
        with WATCH.request(time.monotonic() + remaining) as guard:
            try:
                with self._session.request(
                    method,
                    url,
                    params=params,
                    headers=dict(headers),
                    json=json,
                    data=data,
                    timeout=(min(connect_timeout, remaining), min(read_timeout, remaining)),
                    stream=True,
                    allow_redirects=False,
                ) as response:
                    body = self._read(response, guard)
                    if (tape := recorder()) is not None:
                        tape.record(_exchange(response, body))
                    return Reply(method, path, response.status_code, response.headers, body)
            except Exception:
                if guard.expired:
                    raise DeadlinePassed from None
                raise

    def forget_cookies(self) -> None:
        """Drops the cookies of the array."""
        self._session.cookies.clear()

    def close(self) -> None:
        """Closes all connections."""
        self._session.close()

    def _read(self, response: requests.Response, guard: Guard) -> bytes:
        announced = response.headers.get("Content-Length", "")
        if announced.isdigit() and int(announced) > self._most_bytes:
            raise AnswerTooLarge(self._most_bytes)
        body = bytearray()
        for chunk in response.iter_content(CHUNK):
            body += chunk
            if len(body) > self._most_bytes:
                raise AnswerTooLarge(self._most_bytes)
        if guard.expired:
            raise DeadlinePassed
        return bytes(body)


def _exchange(response: requests.Response, body: bytes) -> HttpExchange:
    """What was sent and received, for a recording."""
    sent = response.request
    data: Any = sent.body or b""
    return HttpExchange(
        sent.method or "",
        sent.url or "",
        [(name, _text(value)) for name, value in sent.headers.items()],
        data.encode() if isinstance(data, str) else bytes(data),
        response.status_code,
        [(str(name), str(value)) for name, value in response.raw.headers.items()],
        body,
    )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
