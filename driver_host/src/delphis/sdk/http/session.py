"""The session with an array's HTTP API: what the driver of such an array builds on."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from delphis.sdk import errors
from delphis.sdk.context import Context
from delphis.sdk.http.endpoint import endpoint_of
from delphis.sdk.http.ratelimit import RateLimit
from delphis.sdk.http.reply import Reply
from delphis.sdk.http.retry import IDEMPOTENT, Retry, pause
from delphis.sdk.redaction import SECRETS
from delphis.type.v1.access_pb2 import RestAccess

if TYPE_CHECKING:
    from delphis.sdk.http.transport import Transport

LOGGER = logging.getLogger("delphis.sdk.http")
LOG_OUT_TIMEOUT = 5.0

Body = bytes | str | Mapping[str, str]


class RestSession:
    """One array's API. Subclass it and say how to log in; several threads may use an object at a time.

    A request logs in where that was not done yet. One that the array answers with "log in first" (see `is_expired`)
    logs in once, whatever the number of threads that saw it, and is sent again. Requests that failed on the way, or
    with a status of `retry`, are repeated if sending them twice does no harm. All waiting ends at the call's deadline.
    """

    #: The port where the access info names none.
    default_port: ClassVar[int] = 443
    #: Put before each path.
    base_path: ClassVar[str] = ""
    #: Sent with each request.
    default_headers: ClassVar[Mapping[str, str]] = {"Accept": "application/json"}
    #: Cookies of the array are sent back to it, until the next login.
    keep_cookies: ClassVar[bool] = False
    #: How requests are repeated.
    retry: ClassVar[Retry] = Retry()
    #: The largest answer that is read, in bytes, after decompression.
    most_bytes: ClassVar[int] = 64 * 2**20
    #: Seconds in which a refused login is not tried again: accounts get locked by repetition.
    refusal_pause: ClassVar[float] = 60.0

    def __init__(self, access: RestAccess, *, rate_limit: RateLimit | None = None) -> None:
        """
        Args:
            access: How to reach the API, secrets included.
            rate_limit: Shared with other sessions of the same array; None: of its own, as the access info says.

        Raises:
            errors.AccessInfoIncomplete: Something in it can't be used.
            errors.InvalidIpOrPort: The host or the port can be none.
        """
        self.access = access
        self.endpoint = endpoint_of(access, default_port=self.default_port)
        self._rate_limit = rate_limit or RateLimit(access.max_requests_per_second)
        self._headers: dict[str, str] = {}
        self._transport: Transport | None = None
        self._lock = threading.Lock()
        self._login_lock = threading.Lock()
        self._login_thread: int | None = None
        self._logins = 0
        self._logged_in = False
        self._refusal: tuple[float, errors.DriverError] | None = None
        self._has_answered = False
        # For sessions that nobody closes, such as after a login that failed.
        weakref.finalize(self, SECRETS.discard, id(self))

    # ---- What a driver says of its array ----

    def log_in(self, context: Context) -> None:
        """Logs in, with requests of this object, and calls `authorize` with what the array gave. Default: no login."""

    def log_out(self, context: Context) -> None:
        """Ends the session on the array. Called by `close` after a login. Default: nothing."""

    def is_expired(self, reply: Reply) -> bool:
        """Whether the array says that one must log in (again). Default: status 401."""
        return reply.status == 401

    def failure(self, reply: Reply) -> errors.DriverError | None:
        """The error that an answer means; None: it is none. Overridden to read the array's own words.

        Default: by the status, as the contract's table of errors says.
        """
        if reply.ok:
            return None
        where: dict[str, Any] = {"method": reply.method, "path": reply.path, "status": reply.status}
        at = self.endpoint.label
        said = f"The array at {at} answered {reply.method} {reply.path} with status {reply.status}"
        match reply.status:
            case 401:
                return errors.InvalidUsernameOrPassword(f"The array at {at} refused the login.", **where)
            case 403:
                return errors.ArrayPermissionDenied(f"{said}: its user may not do this.", **where)
            case 404 | 410:
                return errors.ArrayObjectNotFound(f"{said}: there is no such object.", **where)
            case 408 | 504:
                return errors.ArrayTimeout(f"{said}.", **where)
            case 429 | 503:
                return errors.ArrayBusy(
                    f"{said}.", retry_after=reply.retry_after if reply.retry_after is not None else 10.0, **where
                )
            case 502:
                return errors.ArrayUnreachable(f"{said}.", **where)
            case status if status >= 500:
                return errors.StorageBackendException(f"{said}.", **where)
            case status if 300 <= status < 400:
                return errors.BadResponse(f"{said}: it sends us elsewhere, where we don't go.", **where)
            case _:
                return errors.BadResponse(f"{said}.", **where)

    # ---- What log_in uses ----

    def authorize(self, token: str, *, header: str = "Authorization", scheme: str = "Bearer") -> None:
        """Sends a token with each request from now on, and masks it in logs and errors.

        Args:
            token: What the array gave.
            header: The header to send it in.
            scheme: What precedes it there; "": nothing.
        """
        self.mask(token)
        self._headers = {**self._headers, header: f"{scheme} {token}" if scheme else token}

    def mask(self, *secrets: str) -> None:
        """Masks texts in logs and errors until the session is closed."""
        SECRETS.add(id(self), secrets)

    # ---- Requests ----

    def get(
        self,
        context: Context,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Sends a GET; see `request`."""
        return self.request(context, "GET", path, params=params, headers=headers)

    def post(
        self,
        context: Context,
        path: str,
        *,
        json: Any = None,
        data: Body | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = False,
    ) -> Reply:
        """Sends a POST; see `request`."""
        return self.request(
            context, "POST", path, json=json, data=data, params=params, headers=headers, idempotent=idempotent
        )

    def request(
        self,
        context: Context,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: Body | None = None,
        idempotent: bool | None = None,
    ) -> Reply:
        """Asks the array.

        Args:
            context: The call that it is asked for; its deadline bounds everything.
            method: Of HTTP, in capitals.
            path: Under `base_path`; escape names in it with `urllib.parse.quote(name, safe="")`.
            params: Of the query.
            headers: Beside and before those of every request.
            json: The body, as an object.
            data: The body as it is, or a form.
            idempotent: The request may be sent twice. None: GET, HEAD, OPTIONS, PUT and DELETE may.

        Returns:
            An answer that `failure` has nothing against.

        Raises:
            errors.DriverError: What `failure` returns, or what kept the array from answering.
        """
        repeatable = method in IDEMPOTENT if idempotent is None else idempotent
        logging_in = self._login_thread == threading.get_ident()
        login = 0 if logging_in else self._ensure_login(context)

        def send() -> Reply:
            return self._send_repeatedly(
                context, repeatable, method, path, params=params, headers=headers, json=json, data=data
            )

        reply = send()
        if not logging_in and self.is_expired(reply):
            LOGGER.info("[%s] the array's session has expired; logging in again", self.endpoint.label)
            self._ensure_login(context, after=login)
            reply = send()
            if self.is_expired(reply):
                raise errors.ArrayPermissionDenied(
                    f"The array at {self.endpoint.label} takes the login, but refuses {method} {path} with status"
                    f" {reply.status}.",
                    method=method,
                    path=path,
                    status=reply.status,
                )
        failure = self.failure(reply)
        if failure is not None:
            raise failure
        return reply

    def open(self, context: Context) -> None:
        """Logs in now, unless that is done; for `StorageDriver.connect`."""
        self._ensure_login(context)

    def close(self) -> None:
        """Logs out, as far as the array lets us, and closes the connections. For `StorageDriver.close`."""
        try:
            if self._logged_in:
                with self._login_lock:
                    self._login_thread = threading.get_ident()
                    try:
                        self.log_out(Context(timeout=LOG_OUT_TIMEOUT))
                    finally:
                        self._login_thread = None
        except errors.DriverError as error:
            LOGGER.info("[%s] not logged out: %s", self.endpoint.label, error)
        finally:
            self._logged_in = False
            self._logins += 1
            if self._transport is not None:
                self._transport.close()
            SECRETS.discard(id(self))

    # ---- The login ----

    def _ensure_login(self, context: Context, *, after: int | None = None) -> int:
        """Logs in unless a login is valid: any, or one that is newer than `after`. Returns which one it is."""
        if self._logged_in and after is None:
            return self._logins
        if not self._login_lock.acquire(timeout=context.remaining):
            raise errors.ArrayTimeout(f"The login at {self.endpoint.label} wasn't over by the deadline.")
        try:
            if self._logged_in and after != self._logins:
                return self._logins
            if self._refusal is not None and time.monotonic() < self._refusal[0]:
                refusal = self._refusal[1]
                metadata: dict[str, Any] = dict(refusal.metadata)
                raise type(refusal)(refusal.message, **metadata)
            self._logged_in = False
            self._log_in(context)
            self._logins += 1
            self._logged_in = True
            return self._logins
        finally:
            self._login_lock.release()

    def _log_in(self, context: Context) -> None:
        self._headers = {}
        if self._transport is not None:
            self._transport.forget_cookies()
        self._login_thread = threading.get_ident()
        try:
            self.log_in(context)
        except (errors.InvalidUsernameOrPassword, errors.InvalidCredential) as refusal:
            self._refusal = (time.monotonic() + self.refusal_pause, refusal)
            raise
        finally:
            self._login_thread = None
        self._refusal = None

    # ---- Sending ----

    def _send_repeatedly(self, context: Context, repeatable: bool, method: str, path: str, **parts: Any) -> Reply:
        attempt = 0
        while True:
            attempt += 1
            reply: Reply | None = None
            failure: errors.DriverError | None = None
            try:
                reply = self._send(context, method, path, **parts)
            except errors.ArrayUnreachable as error:
                failure = error
            if reply is not None and reply.status not in self.retry.statuses:
                return reply
            delay = self.retry.delay(attempt, reply.retry_after if reply else None) if repeatable else None
            if delay is None or delay >= context.remaining:
                if reply is not None:
                    return reply
                assert failure is not None
                raise failure
            LOGGER.info(
                "[%s] %s %s: %s; asking again in %.1f s",
                self.endpoint.label,
                method,
                path,
                f"status {reply.status}" if reply else failure,
                delay,
            )
            pause(context, delay)

    def _send(
        self,
        context: Context,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        json: Any,
        data: Body | None,
    ) -> Reply:
        context.check()
        self._rate_limit.wait(context)
        transport = self._connections()
        from delphis.sdk.http.failures import failure_of  # loads `requests`

        began = time.monotonic()
        path = self.base_path + path
        try:
            reply = transport.send(
                method,
                self.endpoint.url + path,
                path=path,
                params=params,
                headers={**self.default_headers, **self._headers, **(headers or {})},
                json=json,
                data=data,
                connect_timeout=self.endpoint.connect_timeout,
                read_timeout=self.endpoint.read_timeout,
                remaining=max(context.remaining, 0.001),
            )
        except Exception as error:  # noqa: BLE001 - of three libraries; each becomes an error that says what happened
            raise failure_of(error, self.endpoint, has_answered=self._has_answered) from None
        LOGGER.debug(
            "[%s] %s %s: status %d, %d bytes, %.0f ms",
            self.endpoint.label,
            method,
            path,
            reply.status,
            len(reply.body),
            (time.monotonic() - began) * 1000,
        )
        self._has_answered = self._has_answered or reply.ok
        return reply

    def _connections(self) -> Transport:
        with self._lock:
            if self._transport is None:
                from delphis.sdk.http.transport import Transport  # loads `requests`

                self._transport = Transport(self.endpoint, keep_cookies=self.keep_cookies, most_bytes=self.most_bytes)
            return self._transport
