"""The stand-in's helpers, as drivers use them."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from delphis.delfin import access, modules
from delphis.sdk import AccessInfo

modules.install()

from delfin import exception, utils  # type: ignore[import-not-found]  # noqa: E402
from delfin.common import alert_util, constants  # type: ignore[import-not-found]  # noqa: E402
from delfin.drivers.utils.tools import Tools  # type: ignore[import-not-found]  # noqa: E402


def test_exceptions() -> None:
    error = exception.StorageBackendException("shelf 3")
    assert (error.msg, error.code, error.error_code) == (str(error), 500, "StorageBackendException")
    assert error.error_args == ("shelf 3",)
    assert "shelf 3" in error.msg
    other = exception.VolumeNotFound(message="gone")
    assert (other.msg, other.error_args, other.code) == ("gone", (), 404)
    assert isinstance(other, exception.NotFound)
    assert isinstance(exception.InvalidCredential(), exception.DelfinException)
    assert exception.InvalidInput().msg.startswith("Invalid input")  # an argument is missing: no KeyError


def test_words() -> None:
    assert constants.DiskPhysicalType.NL_SAS == "nl-sas"
    assert "nl-sas" in constants.DiskPhysicalType.ALL
    assert constants.VolumeMetric.READ_THROUGHPUT == ("readThroughput", "MB/s", "Data read per second")
    assert not hasattr(constants.DiskMetric, "IO_SIZE")
    assert constants.metric_struct("a", {}, {}).__class__.__name__ == "Metric"


def test_alerts_in_a_window() -> None:
    inside = alert_util.is_alert_in_time_range
    assert inside(None, 5)
    assert inside({"begin_time": "3"}, 5)
    assert not inside({"begin_time": 3, "end_time": 4}, "5")
    with pytest.raises(exception.InvalidInput):
        inside({"begin_time": "soon"}, 5)


def test_tools() -> None:
    assert Tools.get_capacity_size("1.5 TB") == 3 << 39
    assert Tools.get_capacity_size("1,024 KiB") == 1 << 20
    assert Tools.get_capacity_size("none") == 0
    assert Tools.change_capacity_to_bytes("GB") == 1 << 30
    assert Tools().split_value_map_list("a: 1\nb : 2\n\na: 3") == [{"a": "1", "b": "2"}, {"a": "3"}]
    assert utils.utcnow_ms() > 1_700_000_000_000
    utils.check_ssh_injection("show volume 1")
    with pytest.raises(exception.SSHInjectionThreat):
        utils.check_ssh_injection("show; reboot")


@pytest.fixture
def ssh() -> Generator[Any, None, None]:
    paramiko: Any = pytest.importorskip("paramiko")
    server: Any = pytest.importorskip("tests.sdk_ssh.server")

    def command(_: Any, channel: Any, text: str) -> None:
        if text:
            server.done(channel, f"ran {text}".encode())
        while got := channel.recv(100):
            channel.sendall(b"> " + got)

    with server.serving(command, paramiko.ECDSAKey.generate()) as running:
        yield running


def test_commands_over_ssh(ssh: Any, tmp_path: Path) -> None:
    from delfin.drivers.utils.ssh_client import SSHPool  # type: ignore[import-not-found]

    def pool(**changes: Any) -> Any:
        return SSHPool(**access.arguments(AccessInfo(storage_id="s", ssh=ssh.access(**changes)), tmp_path, 5))

    right = pool()
    assert (right.do_exec_command("show"), right.do_exec("list")) == ("ran show", "ran list")
    assert ssh.connections == 1
    assert right.do_exec_shell(["a", "b"], 0.2) == "> a\n> b\n"
    with pytest.raises(exception.InvalidUsernameOrPassword):
        pool(password="nonsense").do_exec("show")
    with pytest.raises(exception.SSHNotFoundKnownHosts):
        pool(pub_key=type(ssh.key).generate().get_base64()).do_exec("show")
    with pytest.raises(exception.InvalidIpOrPort):
        pool(port=1).do_exec("show")
