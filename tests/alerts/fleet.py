"""A real `delphis up`, its arrays and what becomes of their traps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.alerts.senders import Sender
from tests.support.up import Up, children, wait_for


class AlertsUp:
    """`delphis up` that takes traps, as tests look at it."""

    def __init__(self, delphis: Up) -> None:
        self.up = delphis
        self.receiver = self.receiver_address()
        self._senders: dict[str, Sender] = {}

    def close(self) -> None:
        """Closes all senders."""
        for sender in self._senders.values():
            sender.close()
        self._senders.clear()

    def restarted(self) -> None:
        """The alerts process is another one, with another port: finds it."""
        self.close()
        self.receiver = self.receiver_address()

    def receiver_address(self) -> str:
        """Where traps are taken."""

        def probe() -> str | None:
            reply = self.up.ask("GET", "/v1/trap-receiver")
            return reply.json["listening"][0] if reply.status == 200 and reply.json["listening"] else None

        return wait_for("the trap receiver", probe)

    def sender(self, source: str) -> Sender:
        """Sends from an address."""
        found = self._senders.get(source)
        if found is None:
            found = self._senders[source] = Sender(self.receiver, source)
        return found

    def array(self, host: str, port: int = 1, **extra: str) -> str:
        """A generated array at an address, known as the sender of its traps; its id."""
        storage_id: str = self.up.register(port, host=host, **extra)["id"]
        self.wait_source(storage_id, host)
        return storage_id

    def wait_source(self, storage_id: str, address: str) -> None:
        """Returns when traps from the address are matched to the storage."""

        def probe() -> bool:
            reply = self.up.ask("GET", f"/v1/storages/{storage_id}/trap-sources")
            return reply.status == 200 and any(one["address"] == address for one in reply.json["trap_sources"])

        wait_for(f"{address} as a source of traps", probe)

    def alerts(self, storage_id: str) -> list[dict[str, Any]]:
        """The open alerts of a storage."""
        found: list[dict[str, Any]] = self.up.get(f"/v1/storages/{storage_id}/alerts")["alerts"]
        return found

    def numbers(self, storage_id: str) -> set[str]:
        """The sequence numbers of the open alerts of the array's own."""
        return {alert["sequence_number"] for alert in self.alerts(storage_id) if alert["origin"] != "delphis"}

    def wait_numbers(self, storage_id: str, *numbers: str, timeout: float = 60.0) -> None:
        """Returns when these alerts are open, and no others of the array's own."""
        seen: set[str] = set()

        def probe() -> bool:
            nonlocal seen
            seen = self.numbers(storage_id)
            return seen == set(numbers)

        try:
            wait_for(f"alerts {sorted(numbers)}", probe, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}; open are {sorted(seen)}\n{self.up.log()[-4000:]}") from None

    def kept(self, state: str) -> list[dict[str, Any]]:
        """The traps of a state."""
        found: list[dict[str, Any]] = self.up.get(f"/v1/traps?state={state}")["traps"]
        return found

    def wait_kept(self, state: str, source: str) -> dict[str, Any]:
        """The newest trap of a state that came from an address."""

        def probe() -> dict[str, Any] | None:
            return next((trap for trap in self.kept(state) if trap["source_address"] == source), None)

        return wait_for(f"{state} trap from {source}", probe)

    def put_config(self, storage_id: str, **values: Any) -> dict[str, Any]:
        """Puts an SNMP configuration."""
        reply = self.up.ask("PUT", f"/v1/storages/{storage_id}/snmp-config", values)
        assert reply.status == 200, reply
        config: dict[str, Any] = reply.json
        return config

    def poll(self, storage_id: str) -> None:
        """Polls the array's alerts; returns when that is done."""
        before = self.up.get(f"/v1/storages/{storage_id}/alert-poll")["started_at"]
        reply = self.up.ask("POST", f"/v1/storages/{storage_id}/alerts/sync", {})
        assert reply.status == 200, reply

        def probe() -> bool:
            poll = self.up.get(f"/v1/storages/{storage_id}/alert-poll")
            return poll["started_at"] not in (None, before) and (poll["ended_at"] or "") >= poll["started_at"]

        wait_for("end of the poll", probe)

    def counts(self) -> dict[str, int]:
        """The receiver's counts."""
        return {one["name"]: one["count"] for one in self.up.get("/v1/trap-receiver")["counts"]}

    def pid(self) -> int:
        """Process id of the alerts process."""
        for pid, arguments in children(self.up.process.pid):
            if "services.app.alerts" in arguments:
                return pid
        raise AssertionError("no alerts process")


def write_manifest(folder: Path, file: str, class_name: str) -> None:
    """A driver of tests/bad_drivers, served as vendor `bad` and the file's name as model."""
    manifest = folder / file / "driver.toml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(
        f'name = "dev.delphis.test.{file.replace("_", "-")}"\nversion = "1"\n'
        f'[[serves]]\nvendor = "bad"\nmodel = "{file}"\n[host]\nclass = "tests.bad_drivers.{file}:{class_name}"\n'
    )
