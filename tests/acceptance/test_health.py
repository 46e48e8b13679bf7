"""Whether a real Delphis says what it is and how it is, itself and over a hop."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.support.up import Up, core_alone, up


def test_version(delphis: Up) -> None:
    found = delphis.get("/v1/version")
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", found["version"])
    assert {"delphis.inventory.v1", "delphis.driver.v1"} <= set(found["contracts"])
    repository = Path(__file__).parents[2]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=False)
    if head.returncode == 0:
        assert re.fullmatch(r"[0-9a-f]{40}", found["revision"])


def test_ready_as_long_as_what_is_behind_it(delphis: Up) -> None:
    assert delphis.get("/readyz")["backends"] == ["core"]
    folder = delphis.folder / "health"
    with core_alone(folder, "--grpc-listen", "127.0.0.1:0") as core:
        options = ("--grpc", core.grpc, "--auth", "none")
        with up(folder, *options, command=("serve", "gateway")) as gateway:
            assert gateway.get("/readyz") == {"status": "ready", "backends": ["core"]}
            assert gateway.get("/v1/version") == core.get("/v1/version")
            core.stop()
            away = gateway.ask("GET", "/readyz")
            assert (away.status, away.json["error_code"]) == (503, "ServiceUnavailable")
            assert "core: The service can't be reached" in away.json["error_msg"]
            assert gateway.get("/healthz") == {"status": "alive"}
