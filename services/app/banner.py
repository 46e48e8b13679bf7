"""What `up` and `serve` say when they are ready."""

from __future__ import annotations

import json
import sys
from typing import Any

from services.alerts.settings import AlertsSettings
from services.app.settings import CoreSettings
from services.telemetry.settings import TelemetrySettings


def show(settings: CoreSettings, ready: dict[str, Any]) -> None:
    """Prints where Delphis can be reached: for people, or as JSON where logs are."""
    if settings.log_format == "json":
        print(json.dumps({"ready": ready}), flush=True)
        return
    lines = [f"Delphis {ready['version']} is ready."]
    if ready.get("rest"):
        lines.append(f"  REST      {ready['rest']}")
    lines.append(f"  gRPC      {ready['grpc']}")
    if ready.get("leases"):
        lines.append(f"  hosts     {ready['leases']}")
    lines.append(f"  data      {settings.data_dir}")
    if settings.auth == "none":
        lines.append("  Without authentication every process on this machine, drivers included, has full access.")
    if settings.demo:
        lines.append(f"  Try:  curl {ready['rest']}/storages")
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def show_alerts(settings: AlertsSettings, ready: dict[str, Any]) -> None:
    """What `serve alerts` says when it is ready."""
    if settings.log_format == "json":
        print(json.dumps({"ready": ready}), flush=True)
        return
    lines = [f"Delphis {ready['version']}: the alerts service is ready.", f"  gRPC      {ready['grpc']}"]
    lines += [f"  core      {settings.inventory}", _traps(ready), f"  data      {settings.data_dir}"]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def show_telemetry(settings: TelemetrySettings, ready: dict[str, Any]) -> None:
    """What `serve telemetry` says when it is ready."""
    if settings.log_format == "json":
        print(json.dumps({"ready": ready}), flush=True)
        return
    lines = [f"Delphis {ready['version']}: the telemetry service is ready.", f"  gRPC      {ready['grpc']}"]
    lines += [f"  core      {settings.inventory}", f"  data      {settings.data_dir}"]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def show_traps(log_format: str, ready: dict[str, Any]) -> None:
    """What `up` says when its alerts process is ready, which is a little later than the rest."""
    if log_format == "json":
        print(json.dumps({"alerts": ready}), flush=True)
        return
    print(_traps(ready), flush=True)


def _traps(ready: dict[str, Any]) -> str:
    return f"  traps     {', '.join(ready['traps']) or 'none are taken; the log says why'}"
