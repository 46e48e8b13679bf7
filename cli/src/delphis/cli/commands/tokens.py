"""`delphis tokens` and `delphis whoami`: who may do what."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import click

from delphis.auth.v1 import auth_pb2, auth_pb2_grpc
from delphis.cli import cells
from delphis.cli.connection import Connection, connected
from delphis.cli.failures import Missing, WrongSettings
from delphis.cli.names import is_id
from delphis.cli.options import Command, Group, pass_settings
from delphis.cli.output import Listing, print_list, print_message, print_value
from delphis.cli.settings import Settings
from delphis.cli.tables import print_fields
from delphis.type.v1 import options_pb2


def hosts_of(token: auth_pb2.Token) -> str:
    """The driver whose hosts it announces, and for what."""
    if not token.HasField("driver"):
        return ""
    pairs = ", ".join(f"{pair.vendor} {pair.model}" for pair in token.driver.serves)
    return f"{token.driver.name} ({pairs})"


LISTING = Listing(
    key="tokens",
    message=auth_pb2.Token,
    columns=("token_id", "name", "scopes", "hosts_of", "created_at", "expires_at", "last_used_at"),
    computed={"hosts_of": hosts_of},
)


def auth(connection: Connection) -> auth_pb2_grpc.AuthServiceStub:
    return auth_pb2_grpc.AuthServiceStub(connection.channel)


@click.group(cls=Group)
def tokens() -> None:
    """Make and end tokens."""


@tokens.command("list")
@pass_settings
def list_tokens(settings: Settings) -> None:
    """List the tokens, without their secrets."""
    with connected(settings) as connection:
        found = connection.call(auth(connection).ListTokens, auth_pb2.ListTokensRequest())
    print_list(settings, LISTING, [(found.tokens, False)])


@tokens.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["read", "operate", "admin"]),
    help="What its bearer may do; each includes those before it.",
)
@click.option("--driver", metavar="NAME", help="A token for the hosts of this driver, and for nothing else.")
@click.option(
    "--serves", multiple=True, metavar="VENDOR/MODEL", help="What those hosts may serve. May be given several times."
)
@click.option("--expires-in", metavar="TIME", help="When it ends, such as 90d. [default: never]")
@click.option("--to-file", type=click.Path(path_type=Path), help="Write the secret to this new file, for you alone.")
@pass_settings
def create(
    settings: Settings,
    name: str,
    scopes: tuple[str, ...],
    driver: str | None,
    serves: tuple[str, ...],
    expires_in: str | None,
    to_file: Path | None,
) -> None:
    """Make a token. Its secret is shown now and never again. Give --scope, or --driver with --serves."""
    from delphis.cli.commands.storages import span

    if bool(scopes) == bool(driver) or bool(driver) != bool(serves):
        raise click.UsageError("Give --scope, or --driver together with --serves.")
    request = auth_pb2.CreateTokenRequest(
        name=name, scopes=[options_pb2.Scope.Value(f"SCOPE_{scope.upper()}") for scope in scopes]
    )
    if driver:
        request.driver.name = driver
        for text in serves:
            vendor, _, model = text.partition("/")
            request.driver.serves.add(vendor=vendor, model=model)
    if expires_in is not None:
        request.expires_at.FromDatetime(datetime.datetime.now(datetime.UTC) + span(expires_in, "--expires-in"))
    secret_file = new_file(to_file) if to_file else None
    try:
        with connected(settings) as connection:
            answer = connection.call(auth(connection).CreateToken, request)
    except BaseException:
        if to_file and secret_file is not None:
            os.close(secret_file)
            to_file.unlink()
        raise
    if secret_file is not None:
        with open(secret_file, "w", encoding="utf-8") as file:
            file.write(answer.secret + "\n")
        if not print_value(settings, {"token": cells.plain(answer.token), "secret_file": str(to_file)}):
            click.echo(f"The secret of token {answer.token.name} is in {to_file}.")
        return
    if not print_value(settings, {"token": cells.plain(answer.token), "secret": answer.secret}):
        click.echo(answer.secret)
        click.echo(f"Token {answer.token.name} is made. Keep the line above: it is not shown again.", err=True)


def new_file(path: Path) -> int:
    """An open file that nobody else can read; made before the token, which would be lost without it."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise WrongSettings(f"--to-file {path} can't be made: {error.strerror}") from None


@tokens.command()
@click.argument("token", metavar="NAME_OR_ID")
@pass_settings
def revoke(settings: Settings, token: str) -> None:
    """End a token at once."""
    with connected(settings) as connection:
        id_ = token if is_id(token) else token_id(connection, token)
        answer = connection.call(auth(connection).DeleteToken, auth_pb2.DeleteTokenRequest(token_id=id_))
    if not print_message(settings, answer):
        click.echo(f"Token {token} is ended.")


def token_id(connection: Connection, name: str) -> str:
    for token in connection.call(auth(connection).ListTokens, auth_pb2.ListTokensRequest()).tokens:
        if token.name == name:
            return token.token_id
    raise Missing(f"no token has the name or id {name!r}", hint="delphis tokens list", reason="TOKEN_NOT_FOUND")


@click.command(cls=Command)
@pass_settings
def whoami(settings: Settings) -> None:
    """Show as whom the server knows you, and what you may do."""
    with connected(settings) as connection:
        caller = connection.call(auth(connection).GetCaller, auth_pb2.GetCallerRequest())
    if not print_message(settings, caller):
        print_fields(
            [
                ("Server", settings.server + (f" (context {settings.context})" if settings.context else "")),
                ("Name", cells.text(caller, "name")),
                ("May", cells.text(caller, "scopes")),
            ]
        )
