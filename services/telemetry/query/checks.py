"""What an operator says of the database with older points. Whoever starts a process is told what is wrong with it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from delphis.telemetry.v1 import telemetry_pb2
from services.app.failure import StartFailure
from services.calls.errors import CallError
from services.outbound.checks import check_headers, check_secret, check_url
from services.outbound.http_client import tls_context
from services.telemetry.query.database import DatabaseSettings, secret_of
from services.telemetry.settings import TelemetryChoices

_OURS = ("authorization", "content-type", "accept", "accept-encoding")


@dataclass(frozen=True, slots=True)
class _Trust:
    ca_certificates: str
    insecure_skip_verify: bool = False


def database_settings(choices: TelemetryChoices) -> DatabaseSettings | None:
    """The database; None: there is none. StartFailure names the option that is wrong."""
    given = {
        "--prometheus-ca": choices.prometheus_ca,
        "--prometheus-user": choices.prometheus_user,
        "--prometheus-password-file": choices.prometheus_password_file,
        "--prometheus-token-file": choices.prometheus_token_file,
        "--prometheus-header": choices.prometheus_headers,
    }
    if not choices.prometheus:
        for option, value in given.items():
            if value:
                raise StartFailure(f"{option} needs --prometheus: the address of the database.")
        return None
    if bool(choices.prometheus_user) != bool(choices.prometheus_password_file):
        raise StartFailure("--prometheus-user and --prometheus-password-file go together; give both or none.")
    if choices.prometheus_token_file and choices.prometheus_user:
        raise StartFailure("Give --prometheus-token-file or --prometheus-user, not both.")
    if ":" in choices.prometheus_user:
        raise StartFailure("--prometheus-user must not have a colon.")
    headers = [telemetry_pb2.SinkHeader(name=name, value=value) for name, value in choices.prometheus_headers.items()]
    try:
        check_url("--prometheus", choices.prometheus, query=False)
        check_secret("--prometheus-user", choices.prometheus_user)
        check_headers("--prometheus-header", headers, ours=_OURS)
    except CallError as error:
        raise StartFailure(error.message) from None
    settings = DatabaseSettings(
        url=choices.prometheus,
        ca_certificates=_certificates(choices.prometheus_ca),
        token_file=choices.prometheus_token_file,
        user=choices.prometheus_user,
        password_file=choices.prometheus_password_file,
        headers=dict(choices.prometheus_headers),
    )
    try:
        secret_of(settings)
    except (OSError, ValueError) as error:
        option = "--prometheus-token-file" if settings.token_file else "--prometheus-password-file"
        raise StartFailure(f"{option}: {error}") from None
    return settings


def _certificates(path: str | None) -> str:
    if path is None:
        return ""
    try:
        text = Path(path).read_text(encoding="ascii")
        tls_context(_Trust(text or "none"))
    except (OSError, ssl.SSLError, ValueError) as error:
        raise StartFailure(f"--prometheus-ca {path} has no PEM certificates that can be read: {error}") from None
    return text
