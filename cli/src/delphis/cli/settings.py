"""Which server is spoken to and how: from the command line, a context, and the environment, in that order."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from delphis.cli import contexts
from delphis.cli.contexts import Context
from delphis.cli.failures import WrongSettings

DEFAULT_SERVER = "127.0.0.1:8191"
DEFAULT_TIMEOUT = 60.0  # seconds
OUTPUTS = ("table", "json", "yaml", "csv")
STDIN = "-"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that a command has to know before it calls a server."""

    server: str
    tls: bool
    tls_ca: str | None
    tls_server_name: str | None
    plaintext: bool
    timeout: float  # seconds
    output: str
    token_file: str | None = None
    kept_token: str | None = field(default=None, repr=False)
    context: str | None = None

    @property
    def json(self) -> bool:
        """Whether errors are told to a program."""
        return self.output == "json"

    @property
    def table(self) -> bool:
        """Whether answers are told to people."""
        return self.output == "table"

    def token(self) -> str | None:
        """The bearer token; None where none was given."""
        if self.token_file is None:
            return self.kept_token
        token = read_token(self.token_file)
        if any(character.isspace() or not character.isascii() for character in token):
            raise WrongSettings(f"--token-file {self.token_file}: holds something else than one token")
        return token


def read_token(file: str) -> str:
    """The token in a file, or for `-` on the first line of standard input."""
    try:
        token = sys.stdin.readline() if file == STDIN else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongSettings(f"--token-file {file} can't be read: {getattr(error, 'strerror', 'no text')}") from None
    if not token.strip():
        raise WrongSettings(f"--token-file {file} is empty")
    return token.strip()


def resolve(given: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings that the given options, the chosen context and the environment make.

    A context is taken or left as a whole: its token and its certificates belong to its server.
    """
    name, context = _context(given, environment)
    taken = _Taken(given, context, environment)
    server = taken("server", "DELPHIS_SERVER") or DEFAULT_SERVER
    check_server(server)
    tls_ca = taken("tls_ca", "DELPHIS_TLS_CA")
    token_file, kept = _token(given, context, environment)
    return Settings(
        server=server,
        tls=bool(taken("tls")) or tls_ca is not None,
        tls_ca=tls_ca,
        tls_server_name=taken("tls_server_name"),
        plaintext=bool(taken("plaintext")),
        timeout=taken("timeout") or DEFAULT_TIMEOUT,
        output=taken("output") or OUTPUTS[0],
        token_file=token_file,
        kept_token=kept,
        context=name,
    )


class _Taken:
    def __init__(self, given: Mapping[str, Any], context: Context | None, environment: Mapping[str, str]) -> None:
        self._given = given
        self._context = context
        self._environment = environment

    def __call__(self, name: str, variable: str = "") -> Any:
        if (value := self._given.get(name)) is not None:
            return value
        if self._context is not None:
            return getattr(self._context, name)
        return self._environment.get(variable) or None


def _context(given: Mapping[str, Any], environment: Mapping[str, str]) -> tuple[str | None, Context | None]:
    if given.get("context") and given.get("server"):
        raise WrongSettings("--context names a server already: give it or --server")
    if given.get("server"):
        return None, None
    name = given.get("context") or environment.get("DELPHIS_CONTEXT")
    if not name and environment.get("DELPHIS_SERVER"):
        return None, None
    known = contexts.load()
    name = name or known.current
    return (name, known.get(name)) if name else (None, None)


def _token(
    given: Mapping[str, Any], context: Context | None, environment: Mapping[str, str]
) -> tuple[str | None, str | None]:
    if file := given.get("token_file"):
        return file, None
    if context is not None and (context.token or context.token_file):
        return context.token_file, context.token
    if file := environment.get("DELPHIS_TOKEN_FILE"):
        return file, None
    return None, environment.get("DELPHIS_TOKEN", "").strip() or None


def check_server(server: str) -> None:
    """WrongSettings unless it can be the address of a gRPC server."""
    if server.startswith(("http://", "https://")):
        raise WrongSettings(f"--server {server!r} is a URL; give the HOST:PORT of gRPC, such as {DEFAULT_SERVER}")
    if not server.startswith(("unix:", "dns:", "ipv4:", "ipv6:")):
        host, colon, port = server.rpartition(":")
        if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise WrongSettings(f"--server {server!r} is no HOST:PORT, such as {DEFAULT_SERVER}")
