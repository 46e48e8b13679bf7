"""`delphis version`: of this command and of the server."""

from __future__ import annotations

import importlib.metadata

import click

from delphis.cli.connection import connected
from delphis.cli.failures import CallFailed
from delphis.cli.options import Command, pass_settings
from delphis.cli.output import print_value
from delphis.cli.settings import Settings
from delphis.cli.tables import print_fields
from delphis.inventory.v1 import version_pb2, version_pb2_grpc


@click.command(cls=Command)
@click.option("--client", is_flag=True, help="Only that of this command; ask no server.")
@pass_settings
def version(settings: Settings, client: bool) -> None:
    """Show the versions of this command and of the server."""
    said = {"client": importlib.metadata.version("delphis-cli")}
    failure: CallFailed | None = None
    if not client:
        said["server_address"] = settings.server
        try:
            with connected(settings) as connection:
                stub = version_pb2_grpc.VersionServiceStub(connection.channel)
                answer = connection.call(stub.GetVersion, version_pb2.GetVersionRequest())
            said["server"] = answer.version
            if answer.revision:
                said["server_revision"] = answer.revision
            said |= {"contract": answer.contract_version, "contracts": ", ".join(answer.contracts)}
        except CallFailed as failed:
            failure = failed
    if not print_value(settings, said):
        print_fields((key.replace("_", " ").capitalize(), value) for key, value in said.items())
    if failure is not None:
        raise failure
