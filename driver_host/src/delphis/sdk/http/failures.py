"""What goes wrong on the way to an array, in the words of the SDK.

Nothing of the libraries' own texts is passed on but the words of the operating system and of TLS: the libraries print
URLs with their parameters, which may be secrets.
"""

from __future__ import annotations

import errno
import http.client
import os
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import requests
import urllib3

from delphis.sdk import errors
from delphis.sdk.http.endpoint import Endpoint

_FINGERPRINT = re.compile(r'got "([0-9a-f]{64})"')


class DeadlinePassed(Exception):
    """The deadline passed while the array was still answering."""


class AnswerTooLarge(Exception):
    """The body of an answer is larger than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


def failure_of(error: Exception, endpoint: Endpoint, *, has_answered: bool) -> errors.DriverError:
    """What to raise for what a library raised.

    Args:
        error: From `Transport.send`.
        endpoint: What was asked.
        has_answered: The address has spoken the array's protocol before. Then it is not wrong; the array is away.
    """
    causes = list(_causes(error))
    where: dict[str, Any] = {"host": endpoint.host, "port": endpoint.port}
    at = endpoint.label
    for finder in (_of_limits, _of_certificates, _of_timeouts, _of_tls, _of_answers):
        for cause in causes:
            found = finder(cause, at, where)
            if found is not None:
                return found
    if not has_answered and any(isinstance(cause, http.client.BadStatusLine | ValueError) for cause in causes):
        detail = "what answers there is no HTTP"
    else:
        detail = _reason(causes)
    if has_answered:
        return errors.ArrayUnreachable(f"The array at {at} doesn't answer: {detail}.", detail=detail, **where)
    return errors.InvalidIpOrPort(
        f"Nothing that speaks the array's protocol at {at}: {detail}.", detail=detail, **where
    )


def _of_limits(cause: BaseException, at: str, where: dict[str, Any]) -> errors.DriverError | None:
    if isinstance(cause, DeadlinePassed):
        return errors.ArrayTimeout(f"The array at {at} took the request, but hadn't answered by the deadline.", **where)
    if isinstance(cause, AnswerTooLarge):
        return errors.BadResponse(
            f"The array at {at} answers with more than {cause.limit} bytes; the driver reads no more than that.",
            limit=cause.limit,
            **where,
        )
    return None


def _of_certificates(cause: BaseException, at: str, where: dict[str, Any]) -> errors.DriverError | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        detail = cause.verify_message or "the name in it is another one"
        return errors.SSLCertificateFailed(
            f"The certificate of {at} is not trusted: {detail}. Give its authority in `ca_certificates`, or its SHA-256"
            " in `pinned_certificate_sha256`.",
            detail=detail,
            **where,
        )
    if isinstance(cause, urllib3.exceptions.SSLError) and "ingerprint" in str(cause):
        found = _FINGERPRINT.search(str(cause))
        shown = found.group(1) if found else "another one"
        return errors.SSLCertificateFailed(
            f"{at} shows a certificate that is not the pinned one; its SHA-256 is {shown}.", found=shown, **where
        )
    if type(cause).__name__ == "CertificateError":
        return errors.SSLCertificateFailed(f"The certificate of {at} is for another name.", **where)
    return None


def _of_timeouts(cause: BaseException, at: str, where: dict[str, Any]) -> errors.DriverError | None:
    if isinstance(cause, urllib3.exceptions.NewConnectionError):
        return None  # for urllib3 a refused connection is a kind of timeout
    if isinstance(cause, urllib3.exceptions.ConnectTimeoutError):
        return errors.ConnectTimeout(f"No connection to {at} within the time for it.", **where)
    if isinstance(cause, urllib3.exceptions.ReadTimeoutError | TimeoutError):
        return errors.ArrayTimeout(f"The array at {at} took the request, but didn't answer in time.", **where)
    return None


def _of_tls(cause: BaseException, at: str, where: dict[str, Any]) -> errors.DriverError | None:
    if not isinstance(cause, ssl.SSLError):
        return None
    words = (cause.reason or "the connection was closed").replace("_", " ").lower()
    hint = " (it seems to speak no TLS)" if cause.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST") else ""
    return errors.SSLHandshakeFailed(f"No TLS session with {at}: {words}{hint}.", detail=words, **where)


def _of_answers(cause: BaseException, at: str, where: dict[str, Any]) -> errors.DriverError | None:
    if isinstance(cause, requests.exceptions.ContentDecodingError | urllib3.exceptions.DecodeError):
        return errors.BadResponse(f"The answer of {at} can't be decompressed.", **where)
    if isinstance(cause, requests.exceptions.ChunkedEncodingError | http.client.IncompleteRead):
        return errors.ArrayUnreachable(f"The connection to {at} broke in the middle of an answer.", **where)
    return None


def _reason(causes: list[BaseException]) -> str:
    """Why no connection was made or kept, in words of the operating system."""
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "the name is not known"
        if isinstance(cause, http.client.RemoteDisconnected):
            return "it closed the connection without an answer"
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
            return os.strerror(cause.errno).lower()
    return f"the request failed with {type(causes[-1]).__name__}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and all that it was made from, the outermost first."""
    todo: list[BaseException] = [error]
    seen: set[int] = set()
    while todo:
        cause = todo.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
        todo += [further for further in inner if isinstance(further, BaseException)]
