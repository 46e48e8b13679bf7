"""A RegisterStorageRequest, or new access info, from options, a file and a password prompt."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import IO, Any, TypeVar

import click
from google.protobuf.message import Message

from delphis.cli.failures import WrongSettings
from delphis.inventory.v1 import inventory_pb2
from delphis.type.v1 import access_pb2

Block = access_pb2.RestAccess | access_pb2.SshAccess | access_pb2.CliAccess | access_pb2.SmisAccess
Request = inventory_pb2.RegisterStorageRequest | inventory_pb2.UpdateAccessInfoRequest
M = TypeVar("M", bound=Message)

TLS_MODES = ("verify", "off", "plaintext")


def access_options(command: Any) -> Any:
    """Decorator: the options that say how an array is reached."""
    file = click.Path(exists=True, dir_okay=False)
    for option in reversed(
        (
            click.option("--host", help="Name or address of the array's management."),
            click.option("--port", type=click.IntRange(0, 65535), metavar="PORT", help="TCP port; 0 to 65535."),
            click.option("--username", help="User of the array."),
            click.option("--password-stdin", is_flag=True, help="Read the password from standard input, do not ask."),
            click.option(
                "--protocol",
                type=click.Choice(["rest", "ssh", "cli", "smis"]),
                default="rest",
                show_default=True,
                help="Which way the options are about.",
            ),
            click.option("--array-tls", type=click.Choice(TLS_MODES), help="TLS towards the array [default: verify]"),
            click.option("--array-ca", type=file, help="PEM file of authorities to trust."),
            click.option("--array-pin", metavar="SHA256", help="SHA-256 of the only certificate to take."),
            click.option(
                "--extra", multiple=True, metavar="KEY=VALUE", callback=pairs, help="Attribute that the driver wants."
            ),
            click.option(
                "--access",
                type=click.File(encoding="utf-8"),
                help="YAML or JSON file with keys, secrets, all that has no option here. - is standard input.",
            ),
        )
    ):
        command = option(command)
    return command


def from_file(file: IO[str] | None, request: M) -> M:
    """The request that a YAML or JSON file holds, fields named as in the contract; as it was without a file."""
    if file is None:
        return request
    from delphis.cli import documents

    reader = documents.Reader(f"--access {file.name}", documents.folder_of(file), plain_secrets=True)
    return reader.fill(request, documents.load(file))


def set_access(
    request: Request,
    *,
    host: str | None,
    port: int | None,
    username: str | None,
    password_stdin: bool,
    protocol: str,
    array_tls: str | None,
    array_ca: str | None,
    array_pin: str | None,
    extra: dict[str, str],
) -> None:
    """Sets what was given by options, and asks for the password where there is none."""
    if host is not None or port is not None or username is not None or password_stdin:
        block = block_of(request, protocol)
        if host is not None:
            block.host = host
        if port is not None:
            block.port = port
        if username is not None:
            block.username = username
        if password_stdin or not block.password:
            secret = password(block.username or None, from_stdin=password_stdin)
            if secret is not None:
                block.password = secret
    if array_tls or array_ca or array_pin:
        set_tls(block_of(request, protocol), array_tls, array_ca, array_pin)
    request.extra_attributes.update(extra)


def check_stdin(access: IO[str] | None, password_stdin: bool, token_file: str | None) -> None:
    """WrongSettings where two options want standard input."""
    wanted = [
        name
        for name, wants in (
            ("--password-stdin", password_stdin),
            ("--access -", access is not None and access.name == "<stdin>"),
            ("--token-file -", token_file == "-"),
        )
        if wants
    ]
    if len(wanted) > 1:
        raise WrongSettings(f"{' and '.join(wanted)} both want standard input")


def password(username: str | None, *, from_stdin: bool) -> str | None:
    """The password from stdin (one line) or a prompt; None without a user."""
    if from_stdin:
        line = sys.stdin.readline().rstrip("\r\n")
        if not line:
            raise WrongSettings("--password-stdin: standard input is empty")
        return line
    if username is None:
        return None
    if not sys.stdin.isatty():
        raise WrongSettings("no terminal to ask for the password: give it with --password-stdin, or with --access")
    return str(click.prompt("Password", hide_input=True, err=True))


def block_of(request: Request, protocol: str) -> Block:
    blocks: dict[str, Block] = {
        "rest": request.rest,
        "ssh": request.ssh,
        "cli": request.cli,
        "smis": request.smis,
    }
    return blocks[protocol]


def set_tls(block: Block, mode: str | None, ca: str | None, pin: str | None) -> None:
    if not isinstance(block, access_pb2.RestAccess | access_pb2.SmisAccess):
        raise WrongSettings("--array-tls, --array-ca and --array-pin go with --protocol rest or smis")
    if mode == "plaintext":
        block.tls.plaintext = True
    elif mode is not None:
        block.tls.mode = access_pb2.TlsMode.Value(f"TLS_MODE_{mode.upper()}")
    if ca is not None:
        try:
            block.tls.ca_certificates = Path(ca).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise WrongSettings(f"--array-ca {ca}: is no PEM file that can be read") from None
    if pin is not None:
        block.tls.mode = access_pb2.TLS_MODE_PINNED
        block.tls.pinned_certificate_sha256 = pin


def pairs(_ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Click callback: KEY=VALUE options as a mapping."""
    found: dict[str, str] = {}
    for value in values:
        key, equals, rest = value.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{key!r} is no KEY=VALUE", param=parameter)
        found[key] = rest
    return found


def new_request_id() -> str:
    return str(uuid.uuid4())
