"""Connections to SSH servers, with paramiko. This module loads that library; nothing else of the package does."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import socket
import threading
import time
from collections.abc import Generator
from typing import Any

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from delphis.sdk import errors
from delphis.sdk.context import Context
from delphis.sdk.ssh.endpoint import SshEndpoint
from delphis.sdk.ssh.hostkey import HostKeyCheck
from delphis.sdk.ssh.limits import Timeouts

_KEYS: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


class Dropped(Exception):
    """The connection broke.

    Attributes:
        sent: The command may have reached the array.
    """

    def __init__(self, *, sent: bool) -> None:
        super().__init__(sent)
        self.sent = sent


def private_key(endpoint: SshEndpoint) -> paramiko.PKey:
    """The key of the access info.

    Raises:
        errors.InvalidPrivateKey: It can't be read.
    """
    for kind in _KEYS:
        try:
            return kind.from_private_key(io.StringIO(endpoint.private_key), password=endpoint.passphrase or None)
        except paramiko.PasswordRequiredException:
            raise errors.InvalidPrivateKey(
                "The private key is encrypted; give its passphrase in `ssh.private_key_passphrase`.",
                field="ssh.private_key_passphrase",
            ) from None
        except Exception:  # noqa: BLE001 - the library raises what its parsers raise; the next kind is tried
            continue
    raise errors.InvalidPrivateKey(
        "The private key in `ssh.private_key` can't be read: it is neither PEM nor OpenSSH, of a kind other than"
        " Ed25519, ECDSA and RSA, or its passphrase is wrong.",
        field="ssh.private_key",
    )


def connect(
    context: Context, endpoint: SshEndpoint, check: HostKeyCheck, timeouts: Timeouts, *, has_answered: bool
) -> paramiko.Transport:
    """Connects, checks the host key, and logs in.

    Args:
        context: The call that waits for it.
        endpoint: Where, and who.
        check: Of the host key. No credential is sent before it.
        timeouts: Of the steps.
        has_answered: The address has spoken SSH before; then it is not wrong, but away.

    Raises:
        errors.DriverError: What kept us from it.
    """
    context.check()
    where: dict[str, Any] = {"host": endpoint.host, "port": endpoint.port}
    key = private_key(endpoint) if endpoint.private_key else None
    lost = errors.ArrayUnreachable if has_answered else errors.InvalidIpOrPort
    try:
        connection = socket.create_connection(
            (endpoint.host, endpoint.port), timeout=max(0.001, min(timeouts.connect, context.remaining))
        )
    except TimeoutError:
        raise errors.ConnectTimeout(f"No connection to {endpoint.label} within the time for it.", **where) from None
    except OSError as error:
        raise lost(f"Nothing answers at {endpoint.label}: {_words(error)}.", detail=_words(error), **where) from None
    transport: paramiko.Transport | None = None
    try:
        transport = paramiko.Transport(connection)
        _agree(context, transport, endpoint, check, timeouts, lost, where)
        _log_in(context, transport, endpoint, key, timeouts, where)
        transport.set_keepalive(timeouts.keepalive)
    except BaseException:
        if transport is not None:
            transport.close()
        connection.close()
        raise
    return transport


def _agree(
    context: Context,
    transport: paramiko.Transport,
    endpoint: SshEndpoint,
    check: HostKeyCheck,
    timeouts: Timeouts,
    lost: type[errors.DriverError],
    where: dict[str, Any],
) -> None:
    transport.banner_timeout = max(0.001, min(timeouts.banner, context.remaining))
    options = transport.get_security_options()
    wanted = [name for name in check.algorithms if name in options.key_types]
    if wanted:
        options.key_types = wanted
    within = min(timeouts.banner, context.remaining)
    began = time.monotonic()
    try:
        transport.start_client(timeout=max(0.001, within))
        key = transport.get_remote_server_key()
    except IncompatiblePeer:
        raise errors.SSHException(
            f"No algorithms could be agreed on with {endpoint.label}"
            + (f"; its host key is asked for as {', '.join(wanted)}, as `ssh.pub_key` is" if wanted else "")
            + ".",
            **where,
        ) from None
    except (paramiko.SSHException, OSError, EOFError):
        if time.monotonic() - began >= within * 0.95:
            raise errors.ConnectTimeout(
                f"{endpoint.label} takes connections, but began no SSH session within {within:.0f} s.", **where
            ) from None
        raise lost(f"{endpoint.label} closed the connection, or what answers there is no SSH.", **where) from None
    check.check(key.asbytes(), key.get_name())


def _log_in(
    context: Context,
    transport: paramiko.Transport,
    endpoint: SshEndpoint,
    key: paramiko.PKey | None,
    timeouts: Timeouts,
    where: dict[str, Any],
) -> None:
    within = max(0.001, min(timeouts.auth, context.remaining))
    transport.auth_timeout = within
    user: dict[str, Any] = {**where, "user": endpoint.username}
    began = time.monotonic()
    try:
        if key is not None:
            more = transport.auth_publickey(endpoint.username, key)
            if more and endpoint.password:
                transport.auth_password(endpoint.username, endpoint.password)
        else:
            transport.auth_password(endpoint.username, endpoint.password)
        if transport.is_authenticated():
            return
        raise errors.InvalidCredential(
            f"{endpoint.label} wants more than one proof of the user {endpoint.username!r}.", **user
        )
    except paramiko.BadAuthenticationType as error:
        allowed = ", ".join(error.allowed_types) or "nothing"
        raise errors.InvalidCredential(
            f"{endpoint.label} takes no such login; it takes {allowed}.", allowed=allowed, **user
        ) from None
    except (paramiko.SSHException, OSError, EOFError) as error:
        if time.monotonic() - began >= within * 0.95:
            raise errors.ArrayTimeout(
                f"{endpoint.label} didn't answer the login within {within:.0f} s.", **user
            ) from None
        if not isinstance(error, paramiko.AuthenticationException) or not transport.is_active():
            raise errors.SSHException(f"{endpoint.label} closed the connection during the login.", **user) from None
        if key is not None:
            raise errors.InvalidCredential(
                f"{endpoint.label} refused the private key of the user {endpoint.username!r}.", **user
            ) from None
        raise errors.InvalidUsernameOrPassword(
            f"{endpoint.label} refused the user {endpoint.username!r} or the password.", **user
        ) from None


@contextlib.contextmanager
def channel(transport: paramiko.Transport, deadline: float) -> Generator[tuple[paramiko.Channel, threading.Event]]:
    """A channel that is closed at a deadline, so that nothing in the library waits beyond it.

    Args:
        transport: The connection.
        deadline: In seconds of the monotonic clock.

    Yields:
        The channel, and what is set once the deadline closed it.

    Raises:
        Dropped: None could be opened.
        TimeoutError: None was opened in time.
    """
    left = deadline - time.monotonic()
    try:
        opened = transport.open_session(timeout=max(0.001, left))
    except (paramiko.SSHException, OSError, EOFError) as error:
        if time.monotonic() >= deadline:
            raise TimeoutError from None
        if isinstance(error, paramiko.ChannelException):
            raise
        raise Dropped(sent=False) from None
    expired = threading.Event()

    def close() -> None:
        # Of a connection that broke meanwhile nothing is left to close.
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            opened.close()

    def expire() -> None:
        expired.set()
        close()

    timer = threading.Timer(max(0.0, deadline - time.monotonic()), expire)
    timer.daemon = True
    timer.start()
    try:
        yield opened, expired
    finally:
        timer.cancel()
        close()


def _words(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "the name is not known"
    return type(error).__name__ if error.errno not in errno.errorcode else os.strerror(error.errno or 0).lower()
