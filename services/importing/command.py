"""`delphis db import-delfin`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from delphis.cli.failures import NOT_FOUND, REFUSED, CallFailed, WrongSettings
from delphis.cli.options import Command, settings_of
from services.importing.errors import SourceFault

if TYPE_CHECKING:
    from delphis.alert.v1 import snmp_config_pb2
    from delphis.inventory.v1 import inventory_pb2
    from services.importing.report import Report
    from services.importing.source_url import SourceUrl
    from services.importing.storages import Planned
    from services.importing.transfer import Import, PutSnmp

ENVIRONMENT = "DELPHIS_DELFIN_URL"
_STDIN = "-"


@click.command("import-delfin", cls=Command)
@click.argument("url", required=False)
@click.option(
    "--url-file",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="File with the URL; - is standard input. Other users can't read it there, as they can a command line.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, and store nothing.")
@click.option("--only", multiple=True, metavar="ID", help="Import this storage alone. May be given several times.")
@click.option(
    "--array-tls",
    type=click.Choice(["verify", "off"]),
    default="verify",
    show_default=True,
    help="TLS towards the arrays. `off` is what Delfin did by default: any certificate is taken.",
)
@click.option(
    "--array-ca",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="PEM file of the authorities that made the arrays' certificates.",
)
@click.pass_context
def import_delfin(
    ctx: click.Context,
    url: str | None,
    url_file: str | None,
    dry_run: bool,
    only: tuple[str, ...],
    array_tls: str,
    array_ca: str | None,
) -> None:
    """Take over the storages of SODA Delfin's database at URL into a running Delphis.

    URL is `connection` of [database] in delfin.conf: sqlite:////path, mysql://USER:PASSWORD@HOST/NAME or
    postgresql://… One with a password belongs into --url-file or the variable DELPHIS_DELFIN_URL. The database is
    read only. Storages keep their ids; access infos come along; no array is asked. What is there already stays as it
    is, so the command may be repeated. The token needs the scope admin.
    """
    from delphis.cli.connection import connected
    from services.importing.report import Report

    settings = settings_of(ctx)
    if settings.output not in ("table", "json"):
        raise click.UsageError(f"--output {settings.output}: an import is told as a table or as JSON")
    if array_ca is not None and array_tls == "off":
        raise click.UsageError("--array-ca and --array-tls off: either certificates are looked at, or not")
    try:
        source = _source(url, url_file)
        storages, report = _read(source, Report(str(source), settings.server, dry_run), only, array_tls, array_ca)
    except SourceFault as fault:
        raise WrongSettings(str(fault)) from None
    with connected(settings) as connection:
        from delphis.inventory.v1 import inventory_pb2_grpc

        stub = inventory_pb2_grpc.InventoryServiceStub(connection.channel)

        def call(request: inventory_pb2.ImportStorageRequest) -> inventory_pb2.ImportStorageResponse:
            from services.importing.transfer import Refused

            try:
                return connection.call(stub.ImportStorage, request)
            except CallFailed as failure:
                if not failure.reason or failure.exit_code not in (REFUSED, NOT_FOUND):
                    raise
                raise Refused(failure.reason, failure.message) from None

        def put_snmp(request: snmp_config_pb2.PutSnmpConfigRequest) -> None:
            from delphis.alert.v1 import snmp_config_pb2 as snmp
            from delphis.alert.v1 import snmp_config_pb2_grpc
            from services.importing.transfer import Refused

            configs = snmp_config_pb2_grpc.SnmpConfigServiceStub(connection.channel)
            try:
                connection.call(configs.GetSnmpConfig, snmp.GetSnmpConfigRequest(storage_id=request.storage_id))
            except CallFailed as failure:
                if failure.reason != "ALERT_SOURCE_NOT_FOUND":
                    raise Refused(failure.reason, failure.message) from None
                try:
                    connection.call(configs.PutSnmpConfig, request)
                except CallFailed as refusal:
                    raise Refused(refusal.reason, refusal.message) from None

        _run(storages, call, put_snmp, report, as_json=settings.json)
    if not report.complete:
        ctx.exit(REFUSED)


def _source(url: str | None, url_file: str | None) -> SourceUrl:
    from services.importing.source_url import SourceUrl

    if url is not None and url_file is not None:
        raise click.UsageError("give the URL or --url-file, not both")
    if url is not None:
        source = SourceUrl(url)
        if source.has_password:
            click.echo(
                f"warning: other users of this machine can read the password on the command line; use --url-file or"
                f" {ENVIRONMENT}",
                err=True,
            )
        return source
    if url_file is not None:
        try:
            text = sys.stdin.readline() if url_file == _STDIN else Path(url_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(
                f"--url-file {url_file} can't be read: {getattr(error, 'strerror', 'no text')}"
            ) from None
    else:
        text = os.environ.get(ENVIRONMENT, "")
        if not text.strip():
            raise click.UsageError(f"missing the URL of Delfin's database: as URL, in --url-file or in {ENVIRONMENT}")
    return SourceUrl(text)


def _read(
    url: SourceUrl, report: Report, only: Sequence[str], array_tls: str, array_ca: str | None
) -> tuple[list[Planned], Report]:
    from services.importing.source import opened
    from services.importing.storages import Planned, Tls, planned

    try:
        authorities = Path(array_ca).read_text(encoding="utf-8") if array_ca is not None else None
    except (OSError, UnicodeDecodeError):
        raise click.UsageError(f"--array-ca {array_ca} can't be read as text") from None
    tls = Tls(off=array_tls == "off", ca_certificates=authorities)
    with opened(url) as source:
        content = source.read()
    storages = [planned(found, tls) for found in content.storages]
    report.left = content.left
    if only:
        wanted = {text.lower() for text in only}
        storages = [each for each in storages if each.storage_id.lower() in wanted]
        known = {each.storage_id.lower() for each in storages}
        storages += [
            Planned(text, "", "", "", problem="Delfin's database has no such storage, or it was removed there.")
            for text in sorted(wanted - known)
        ]
    return storages, report


def _run(storages: Sequence[Planned], call: Import, put_snmp: PutSnmp, report: Report, *, as_json: bool) -> None:
    """Imports, and tells: people line by line, programs at the end; also where the server goes away meanwhile."""
    from services.importing.report import SYNC_NOTE, TLS_NOTE, document, ending, line
    from services.importing.transfer import Outcome, transfer

    if not as_json:
        click.echo(f"From {report.source} to {report.server}\n")
    try:
        for result in transfer(storages, call, put_snmp, dry_run=report.dry_run):
            report.results.append(result)
            if not as_json:
                for text in line(result):
                    click.echo(text)
    finally:
        report.unfinished = len(storages) - len(report.results)
        taken = [each for each in report.results if each.outcome in (Outcome.IMPORTED, Outcome.WOULD_IMPORT)]
        if any(_verifies(each.planned.request) for each in taken):
            report.notes.append(TLS_NOTE)
        if taken and not report.dry_run:
            report.notes.append(SYNC_NOTE)
        if as_json:
            click.echo(document(report))
        else:
            for text in ending(report):
                click.echo(text)


def _verifies(request: inventory_pb2.ImportStorageRequest | None) -> bool:
    """Whether certificates are verified against the system's authorities, as nobody said otherwise."""
    return request is not None and any(
        request.HasField(name) and not getattr(request, name).HasField("tls") for name in ("rest", "smis")
    )
