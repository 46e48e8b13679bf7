"""What such a driver raises, and how it ends: as an operator of Delphis sees it."""

from __future__ import annotations

import time
from collections.abc import Generator
from pathlib import Path

import grpc
import pytest

from delphis.sdk import SnmpVersion, TrapConfig
from delphis.type.v1.access_pb2 import AccessInfo, SshHostKeyPolicy, TlsMode
from tests.delfin_adapter.box import access, box
from tests.delfin_adapter.support import PASSWORD, Host, host, made_up

REASONS = {
    "key": "DRIVER_FAULT",
    "secret": "DRIVER_FAULT",
    "own": "STORAGE_BACKEND_EXCEPTION",
    "class": "INVALID_IP_OR_PORT",
    "message": "INVALID_RESULTS",
    "absent": "ARRAY_OBJECT_NOT_FOUND",
    "forbidden": "ARRAY_PERMISSION_DENIED",
    "reset": "ARRAY_UNREACHABLE",
    "network": "ARRAY_UNREACHABLE",
    "lacks": "STORAGE_CAPABILITY_NOT_SUPPORTED",
    "json": "DRIVER_FAULT",
}


@pytest.fixture(scope="module")
def crash() -> Generator[Host, None, None]:
    with host("crash:CrashDriver") as running:
        yield running


@pytest.mark.parametrize(("bad", "reason"), sorted(REASONS.items()))
def test_exceptions_by_the_names_of_their_classes(crash: Host, bad: str, reason: str) -> None:
    array = made_up(bad=bad)
    reply = crash.ask("ListVolumes", array, storage_id=bad)
    assert (reply.reason, reply.detailed) == (reason, True), reply
    assert PASSWORD not in repr(reply)
    if bad in ("own", "class", "message"):
        assert reply.metadata["error_code"] == {"own": "Stray", "class": "InvalidIpOrPort"}.get(bad, "InvalidResults")
    if bad == "own":
        assert "array says 7" in reply.message
    assert not any(PASSWORD.encode() in line for line in crash.lines)


def test_an_object_is_thrown_away_after_a_failure_only(crash: Host) -> None:
    well, ill = made_up(), made_up(bad="own")

    def login(array: AccessInfo) -> str:
        return str(crash.answer("GetStorage", array, storage_id=array.extra_attributes["bad"] or "well").storage.name)

    first = login(well)
    assert crash.ask("ListVolumes", well, storage_id="well").ok
    assert login(well) == first
    before = login(ill)
    assert not crash.ask("ListVolumes", ill, storage_id="own").ok
    assert login(ill) != before
    assert login(well) == first  # arrays share nothing


def test_a_call_that_hangs_keeps_nobody_from_the_array(crash: Host) -> None:
    array = made_up(bad="hang")
    begin = time.monotonic()
    reply = crash.ask("ListVolumes", array, storage_id="hang", timeout=2.5)
    assert reply.code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert crash.ask("GetStorage", array, storage_id="hang").ok  # on an object of its own
    assert time.monotonic() - begin < 30
    assert crash.info().stuck_calls == 1


def test_methods_that_only_say_so_are_not_announced(crash: Host) -> None:
    assert not {"AddTrapConfig", "RemoveTrapConfig", "ListAlerts", "ClearAlert"} & set(crash.info().rpcs)


def test_a_missing_library_is_named(tmp_path: Path) -> None:
    with host("lacks_module:LacksModuleDriver") as running:
        error = running.info().load_error
    assert "imports no_such_library_of_an_array, which is not installed here" in error
    assert "-m pip install no_such_library_of_an_array" in error
    (tmp_path / "wants_more.py").write_text("import delfin.leader_election\nclass D:\n    pass\n")
    with host("wants_more:D", "--path", str(tmp_path)) as running:
        error = running.info().load_error
    assert "imports delfin.leader_election, which is neither installed here nor part of the stand-in" in error


def test_tls_and_host_keys(tmp_path: Path) -> None:
    with box(tmp_path) as (array, server, signer), host("rest_box:RestBoxDriver") as running:
        system = AccessInfo(rest=access(server, signer))
        system.rest.tls.Clear()
        assert running.ask("GetStorage", system, storage_id="default").reason == "SSL_CERTIFICATE_FAILED"
        pinned = AccessInfo(rest=server.access(password="nonsense"))
        assert running.ask("GetStorage", pinned, storage_id="pin").reason == "INVALID_USERNAME_OR_PASSWORD"
        pinned.rest.tls.pinned_certificate_sha256 = "00" * 32
        pinned.rest.tls.mode = TlsMode.TLS_MODE_PINNED
        assert running.ask("GetStorage", pinned, storage_id="pin2").reason == "SSL_CERTIFICATE_FAILED"
        trusted = AccessInfo(rest=access(server, signer))
        assert running.ask("GetStorage", trusted, storage_id="ca").ok
        trusted.ssh.host, trusted.ssh.port, trusted.ssh.password = "127.0.0.1", 22, PASSWORD
        refused = running.ask("GetStorage", trusted, storage_id="ssh")
        assert refused.reason == "SSH_NOT_FOUND_KNOWN_HOSTS"
        assert "host_key_policy" in refused.message
        trusted.ssh.host_key_policy = SshHostKeyPolicy.SSH_HOST_KEY_POLICY_OFF
        assert running.ask("GetStorage", trusted, storage_id="ssh2").ok
        trusted.ssh.ClearField("host_key_policy")
        trusted.ssh.pub_key = "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8"
        refused = running.ask("GetStorage", trusted, storage_id="ssh3")
        assert refused.reason == "SSH_NOT_FOUND_KNOWN_HOSTS"
        assert "needs the key itself" in refused.message
        # The box gives one session to each storage, and none of its calls run beside another.
        assert len(array.tokens) == 2


def test_a_host_key_says_its_type(tmp_path: Path) -> None:
    from delphis.delfin import access as shapes
    from delphis.delfin import modules

    modules.install()
    info = AccessInfo()
    info.ssh.host = "192.0.2.1"
    for key, type_ in (
        ("AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", "ssh-ed25519"),
        ("AAAAB3NzaC1yc2EAAAADAQAB", "ssh-rsa"),
        ("no key", None),
    ):
        info.ssh.pub_key = key
        assert shapes.arguments(info, tmp_path, 1)["ssh"]["pub_key_type"] == type_
    info.ssh.pub_key_type = "ssh-dss"
    assert shapes.arguments(info, tmp_path, 1)["ssh"]["pub_key_type"] == "ssh-dss"


def test_trap_receivers_are_dicts_with_encoded_secrets() -> None:
    from delphis.delfin import access as shapes
    from delphis.delfin import modules

    modules.install()
    config = TrapConfig(host="192.0.2.1", port=162, version=SnmpVersion.SNMP_VERSION_SNMPV3, auth_key=PASSWORD)
    found = shapes.trap_config(config)
    assert found["host"] == "192.0.2.1"
    assert found["version"] == "SNMPv3"
    assert found["auth_key"] not in (None, PASSWORD)
    assert found["community_string"] is None
