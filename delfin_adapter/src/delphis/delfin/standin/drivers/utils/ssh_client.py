"""`delfin.drivers.utils.ssh_client`: commands over SSH."""

from __future__ import annotations

import base64
import contextlib
import importlib
import io
import queue
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from delphis.delfin.standin import cryptor, exception, utils
else:
    from delfin import cryptor, exception, utils

paramiko: Any = importlib.import_module("paramiko")  # its types are not everywhere

CONNECT_TIMEOUT = 60.0
MOST_CONNECTIONS = 3


class SSHPool:
    """Up to three connections to the host of the block `ssh`, made when they are needed."""

    conn_timeout: float | None = None

    def __init__(self, **kwargs: Any) -> None:
        access = kwargs.get("ssh")
        if not access:
            raise exception.InvalidInput("the access info has no block `ssh`")
        self.ssh_host = access.get("host")
        self.ssh_port = access.get("port")
        self.ssh_username = access.get("username")
        self.ssh_password = access.get("password")
        self.ssh_pub_key_type = access.get("pub_key_type")
        self.ssh_pub_key = access.get("pub_key")
        self.ssh_conn_timeout = access.get("conn_timeout") or self.conn_timeout or CONNECT_TIMEOUT
        self._free: queue.LifoQueue[Any] = queue.LifoQueue()
        for _ in range(MOST_CONNECTIONS):
            self._free.put(None)

    @contextlib.contextmanager
    def item(self) -> Iterator[Any]:
        """A connection for a block."""
        connection = self._free.get()
        try:
            if connection is None or not self._alive(connection):
                connection = self.create()
            yield connection
        except BaseException:
            if connection is not None:
                connection.close()
            connection = None
            raise
        finally:
            self._free.put(connection)

    @staticmethod
    def _alive(connection: Any) -> bool:
        transport = connection.get_transport()
        return transport is not None and bool(transport.is_active())

    def create(self) -> Any:
        """A new connection."""
        client = paramiko.SSHClient()
        try:
            self._expect_host_key(client)
            client.connect(
                hostname=self.ssh_host,
                port=int(self.ssh_port or 22),
                username=self.ssh_username,
                password=cryptor.decode(self.ssh_password),
                timeout=self.ssh_conn_timeout,
                allow_agent=False,
                look_for_keys=False,
            )
        except Exception as error:
            client.close()
            raise self._named(error) from error
        transport = client.get_transport()
        if transport is not None:
            transport.set_keepalive(30)
        return client

    def _expect_host_key(self, client: Any) -> None:
        if not self.ssh_pub_key:
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
            return
        key = paramiko.PKey.from_type_string(str(self.ssh_pub_key_type), base64.b64decode(self.ssh_pub_key))
        port = int(self.ssh_port or 22)
        name = str(self.ssh_host) if port == 22 else f"[{self.ssh_host}]:{port}"
        client.get_host_keys().add(name, key.get_name(), key)
        client.set_missing_host_key_policy(paramiko.RejectPolicy())

    def _named(self, error: Exception) -> Exception:
        if isinstance(error, paramiko.AuthenticationException):
            return exception.InvalidUsernameOrPassword()
        if isinstance(error, paramiko.BadHostKeyException) or "not found in known_hosts" in str(error):
            return exception.SSHNotFoundKnownHosts(self.ssh_host)
        if isinstance(error, TimeoutError):
            return exception.SSHConnectTimeout()
        if isinstance(error, OSError):
            return exception.InvalidIpOrPort()
        return exception.SSHException(str(error))

    def do_exec(self, command: str) -> str:
        """What a command prints."""
        utils.check_ssh_injection(command)
        with self.item() as connection:
            try:
                _, output, errors = connection.exec_command(command)
                said: str = output.read().decode("utf-8", "replace")
                wrong = errors.read().decode("utf-8", "replace")
            except Exception as error:
                raise exception.SSHException(str(error)) from error
        if wrong and not said:
            raise exception.StorageBackendException(wrong.strip())
        return said

    do_exec_command = do_exec

    def do_exec_shell(self, commands: Sequence[str], sleep_time: float = 0.5) -> str:
        """What commands print in one interactive shell; `sleep_time` seconds pass after each."""
        said = io.StringIO()
        with self.item() as connection:
            try:
                channel = connection.invoke_shell()
                for command in commands:
                    utils.check_ssh_injection(command)
                    channel.sendall(f"{command}\n".encode())
                    time.sleep(sleep_time)
                    while channel.recv_ready():
                        said.write(channel.recv(65536).decode("utf-8", "replace"))
                channel.close()
            except OSError as error:
                raise exception.SSHException(str(error)) from error
        return said.getvalue()


class SSHClient(SSHPool):
    """The same, with a connection for each command."""

    @contextlib.contextmanager
    def item(self) -> Iterator[Any]:
        connection = self.create()
        try:
            yield connection
        finally:
            connection.close()
