"""`delphis metrics`: what the arrays measure. `delphis forecasts`: when they will be full."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import click

from delphis.cli import cells
from delphis.cli.connection import Connection, connected, pages
from delphis.cli.failures import WrongSettings
from delphis.cli.names import complete_storage, storage_id
from delphis.cli.options import Command, Group, pass_settings
from delphis.cli.output import Listing, csv_line, print_list, print_message
from delphis.cli.settings import Settings
from delphis.cli.tables import print_table
from delphis.telemetry.v1 import telemetry_pb2 as pb
from delphis.telemetry.v1 import telemetry_pb2_grpc

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

METRICS = Listing(key="metrics", message=pb.MetricDescription, columns=("name", "unit", "kinds", "description"))


def full_at(forecast: pb.Forecast) -> str:
    """When it is full, if ever."""
    return cells.text(forecast, "full_at") if forecast.HasField("full_at") else "not foreseen"


def used(forecast: pb.Forecast) -> str:
    """How full it is."""
    return f"{100 * forecast.used / forecast.total:.1f} %" if forecast.total else "-"


FORECASTS = Listing(
    key="forecasts",
    message=pb.Forecast,
    columns=("full", "full_at_earliest", "kind", "name", "full_to", "growth", "days", "storage_id"),
    computed={"full": full_at, "full_to": used},
)


def service(connection: Connection) -> telemetry_pb2_grpc.MetricServiceStub:
    """The methods of metrics."""
    return telemetry_pb2_grpc.MetricServiceStub(connection.channel)


@click.group(cls=Group)
def metrics() -> None:
    """Look at what the arrays measure."""


@metrics.command("list")
@click.option("--columns", metavar="NAMES", help="Fields to print, joined by commas.")
@pass_settings
def list_metrics(settings: Settings, columns: str | None) -> None:
    """List the metrics that there are, with units."""
    METRICS.chosen(columns)
    with connected(settings) as connection:
        found = connection.call(service(connection).ListMetrics, pb.ListMetricsRequest())
    print_list(settings, METRICS, [(list(found.metrics), False)], columns=columns)


def _chosen(command: Any) -> Any:
    for option in reversed(
        (
            click.argument("kind"),
            click.argument("names", metavar="METRIC...", nargs=-1, required=True),
            click.option(
                "--storage", "storages", multiple=True, metavar="NAME_OR_ID", shell_complete=complete_storage,
                help="Only of this storage. May be given several times.",
            ),
            click.option("--last", default="1h", metavar="TIME", show_default=True, help="Such as 30m, 2h, 1d."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@metrics.command()
@_chosen
@click.option("--resource", "resources", multiple=True, metavar="ID", help="Only this resource, by the array's id.")
@click.option("--step", metavar="TIME", help="Put samples together, such as 5m. [default: as they were collected]")
@click.option("--by", "group_by", type=click.Choice(("storage", "all")), help="Put series together.")
@pass_settings
def query(
    settings: Settings,
    kind: str,
    names: tuple[str, ...],
    storages: tuple[str, ...],
    last: str,
    resources: tuple[str, ...],
    step: str | None,
    group_by: str | None,
) -> None:
    """Print series: `delphis metrics query volume iops responseTime --last 30m`.

    KIND is storage, storage_pool, volume, controller, port, disk or filesystem.
    """
    request = _request(kind, names, last)
    request.native_ids.extend(resources)
    request.group_by = group_by or ""
    if step is not None:
        request.step.FromSeconds(_seconds("--step", step))
    answer = _answer(settings, request, storages)
    if settings.output == "csv":
        print_csv(answer.series)
    elif not print_message(settings, answer):
        print_table(
            ("AT", "STORAGE", "RESOURCE", "METRIC", "VALUE", "UNIT"),
            [
                [cells.text(_at(at), "end_time"), *_labels(one), one.metric, f"{value:g}", one.unit]
                for one in answer.series
                for at, value in zip(one.times, one.values, strict=True)
            ],
        )


@metrics.command()
@_chosen
@click.option("--count", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many.")
@pass_settings
def top(
    settings: Settings, kind: str, names: tuple[str, ...], storages: tuple[str, ...], last: str, count: int
) -> None:
    """Print those with the greatest means: `delphis metrics top volume iops`."""
    request = _request(kind, names, last)
    request.top = count
    answer = _answer(settings, request, storages)
    if settings.output == "csv":
        print_csv(answer.series)
    elif not print_message(settings, answer):
        rows: list[list[str]] = []
        for one in answer.series:
            told = [value for value in one.values if value == value]
            mean = sum(told) / len(told) if told else float("nan")
            newest = told[-1] if told else float("nan")
            largest = max(told, default=float("nan"))
            rows.append([*_labels(one), one.metric, f"{mean:g}", f"{largest:g}", f"{newest:g}", one.unit])
        print_table(("STORAGE", "RESOURCE", "METRIC", "MEAN", "LARGEST", "NEWEST", "UNIT"), rows)


@click.command(cls=Command)
@click.option("--storage", metavar="NAME_OR_ID", shell_complete=complete_storage, help="Only of this storage.")
@click.option("--columns", metavar="NAMES", help="Fields to print, joined by commas.")
@pass_settings
def forecasts(settings: Settings, storage: str | None, columns: str | None) -> None:
    """Say when pools and arrays will be full, soonest first."""
    FORECASTS.chosen(columns)
    with connected(settings) as connection:
        request = pb.ListForecastsRequest(storage_id=storage_id(connection, storage) if storage else "")
        found: Any = pages(connection, service(connection).ListForecasts, request, "forecasts", None)
        print_list(settings, FORECASTS, found, columns=columns)


def print_csv(series: Sequence[pb.MetricSeries]) -> None:
    """A line for each sample; times are milliseconds."""
    click.echo("at,storage_id,native_id,metric,value,unit")
    for one in series:
        for at, value in zip(one.times, one.values, strict=True):
            click.echo(csv_line([str(at), one.storage_id, one.native_id, one.metric, repr(value), one.unit]))


def _request(kind: str, names: Sequence[str], last: str) -> pb.QueryMetricsRequest:
    request = pb.QueryMetricsRequest(kind=kind, metrics=names)
    now = time.time_ns() // 1_000_000
    request.begin_time.FromMilliseconds(now - _seconds("--last", last) * 1000)
    request.end_time.FromMilliseconds(now + 1)
    return request


def _answer(settings: Settings, request: pb.QueryMetricsRequest, storages: Sequence[str]) -> pb.QueryMetricsResponse:
    with connected(settings) as connection:
        request.storage_ids.extend(storage_id(connection, storage) for storage in storages)
        answer = connection.call(service(connection).QueryMetrics, request)
    for warning in answer.warnings:
        click.echo(f"Warning: {warning}", err=True)
    return answer


def _labels(one: pb.MetricSeries) -> list[str]:
    return [one.storage_name or one.storage_id or "all", one.resource_name or one.native_id or "all"]


def _at(milliseconds: int) -> pb.QueryMetricsRequest:
    shown = pb.QueryMetricsRequest()
    shown.end_time.FromMilliseconds(milliseconds)
    return shown


def _seconds(option: str, text: str) -> int:
    number, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS else (text, "s")
    if not number.isascii() or not number.isdigit() or not int(number):
        raise WrongSettings(f"{option}: {text!r} is no time, such as 30s, 5m, 2h or 1d")
    return int(number) * _UNITS[unit]
