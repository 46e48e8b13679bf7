"""The gateway in a process of its own, over a hop."""

from __future__ import annotations

from tests.support.up import Up, core_alone, up, wait_for


def test_it_answers_what_the_core_does(delphis: Up) -> None:
    storage = delphis.register(90, volumes="5")
    delphis.wait_synced(storage["id"])
    with up(delphis.folder, "--grpc", delphis.grpc, "--auth", "none", command=("serve", "gateway")) as gateway:
        wait_for("the core", lambda: gateway.ask("GET", "/v1/storages").status == 200)
        for path in ("/v1/storages", f"/v1/storages/{storage['id']}/volumes", "/v1/storages/nothing", "/v1/nothing"):
            there, here = gateway.ask("GET", path), delphis.ask("GET", path)
            assert (there.status, there.text) == (here.status, here.text)
        synced = gateway.ask("POST", f"/v1/storages/{storage['id']}/sync")
        assert synced.status == 202
        assert gateway.get(f"/v1/jobs/{synced.headers['delphis-job-id']}")["storage_id"] == storage["id"]
        assert gateway.ask("GET", "/v1/storages", headers={"Host": "evil.example"}).status == 403
    delphis.wait_synced(storage["id"])


def test_it_outlives_its_core(delphis: Up) -> None:
    with core_alone(delphis.folder / "own", "--grpc-listen", "127.0.0.1:0") as core:
        address = core.grpc
        with up(delphis.folder, "--grpc", address, "--auth", "none", command=("serve", "gateway")) as gateway:
            wait_for("the core", lambda: gateway.ask("GET", "/v1/storages").status == 200)
            assert gateway.get("/v1/storages") == {"storages": []}
            core.stop()
            away = gateway.ask("GET", "/v1/storages")
            assert (away.status, away.json["error_code"]) == (503, "ServiceUnavailable")
            with core_alone(delphis.folder / "own", "--grpc-listen", address):
                wait_for("the core again", lambda: gateway.ask("GET", "/v1/storages").status == 200)
