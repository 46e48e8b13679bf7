"""A RegisterStorageRequest from options, a file and a password prompt."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import IO

import click
import yaml
from google.protobuf.json_format import ParseDict, ParseError

from delphis.inventory.v1 import inventory_pb2
from delphis.type.v1 import access_pb2

Block = access_pb2.RestAccess | access_pb2.SshAccess | access_pb2.CliAccess | access_pb2.SmisAccess

TLS_MODES = ("verify", "off", "plaintext")


def from_file(file: IO[str] | None) -> inventory_pb2.RegisterStorageRequest:
    """The request that a YAML or JSON file holds, fields named as in the contract; an empty one without a file."""
    request = inventory_pb2.RegisterStorageRequest()
    if file is None:
        return request
    try:
        content = yaml.safe_load(file)
        if not isinstance(content, dict):
            raise click.UsageError(f"--access {file.name}: holds no mapping with keys such as rest, ssh, labels")
        check_mappings(content, file.name)
        return ParseDict(content, request)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        # YAML's own text quotes the file, and with it perhaps a secret.
        at = f", line {place.line + 1}" if place else ""
        raise click.UsageError(f"--access {file.name}{at}: is neither YAML nor JSON") from None
    except ParseError as error:
        raise click.UsageError(f"--access {file.name}: {error}") from None


def check_mappings(content: dict[str, object], file: str) -> None:
    """Refuse what stands in place of a block. protobuf would quote it, and with it perhaps a secret."""
    for field in inventory_pb2.RegisterStorageRequest.DESCRIPTOR.fields:
        if field.message_type is None or not field.message_type.file.package.startswith("delphis."):
            continue
        for key in {field.name, field.json_name} & content.keys():
            if not isinstance(content[key], dict | None):
                raise click.UsageError(f"--access {file}: {key} holds no mapping")


def password(username: str | None, *, from_stdin: bool) -> str | None:
    """The password from stdin (one line) or a prompt; None without a user."""
    if from_stdin:
        line = sys.stdin.readline().rstrip("\r\n")
        if not line:
            raise click.UsageError("--password-stdin: standard input is empty")
        return line
    if username is None:
        return None
    if not sys.stdin.isatty():
        raise click.UsageError("no terminal to ask for the password: give it with --password-stdin, or with --access")
    return str(click.prompt("Password", hide_input=True, err=True))


def block_of(request: inventory_pb2.RegisterStorageRequest, protocol: str) -> Block:
    blocks: dict[str, Block] = {
        "rest": request.rest,
        "ssh": request.ssh,
        "cli": request.cli,
        "smis": request.smis,
    }
    return blocks[protocol]


def set_tls(block: Block, mode: str | None, ca: str | None, pin: str | None) -> None:
    if mode is None and ca is None and pin is None:
        return
    if not isinstance(block, access_pb2.RestAccess | access_pb2.SmisAccess):
        raise click.UsageError("--array-tls, --array-ca and --array-pin go with --protocol rest or smis")
    if mode == "plaintext":
        block.tls.plaintext = True
    elif mode is not None:
        block.tls.mode = access_pb2.TlsMode.Value(f"TLS_MODE_{mode.upper()}")
    if ca is not None:
        block.tls.ca_certificates = Path(ca).read_text(encoding="utf-8")
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
