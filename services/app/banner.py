"""What `up` and `serve` say when they are ready."""

from __future__ import annotations

import json
import sys
from typing import Any

from services.app.settings import CoreSettings


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
