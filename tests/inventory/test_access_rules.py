"""What may be given as access info, what a change keeps, and what an answer shows."""

from __future__ import annotations

import pytest
from google.protobuf import json_format

from delphis.inventory.v1 import inventory_pb2 as pb
from delphis.type.v1 import access_pb2
from services.calls.errors import CallError
from services.inventory.access import rules
from services.inventory.access.merging import merged
from services.inventory.redaction import redacted

REST: dict[str, object] = {"host": "127.0.0.1", "port": 443, "username": "u", "password": "p"}
SSH: dict[str, object] = {**REST, "port": 22, "pub_key": "AAAA"}
LOGIN: dict[str, object] = {"host": "127.0.0.1", "username": "u", "password": "p"}


def registration(**blocks: object) -> pb.RegisterStorageRequest:
    return json_format.ParseDict(blocks, pb.RegisterStorageRequest())


def change(**blocks: object) -> pb.UpdateAccessInfoRequest:
    return json_format.ParseDict(blocks, pb.UpdateAccessInfoRequest())


def access(**blocks: object) -> access_pb2.AccessInfo:
    return json_format.ParseDict(blocks, access_pb2.AccessInfo())


def refused_field(**blocks: object) -> str | None:
    update = bool(blocks.pop("update", False))
    request = change(**blocks) if update else registration(**blocks)
    error = None
    try:
        rules.check_blocks(request, update=update)
    except CallError as raised:
        error = raised
    if error is None:
        return None
    field = error.metadata["field"]
    assert error.reason == "INVALID_INPUT"
    assert error.message.startswith(f"Invalid input for field/attribute {field}. ")
    return field


@pytest.mark.parametrize(
    ("block", "required"),
    [
        ("rest", ("host", "port", "username", "password")),
        ("ssh", ("host", "port", "username", "password", "pub_key")),
        ("cli", ("host", "username", "password")),
        ("smis", ("host", "username", "password")),
    ],
)
def test_what_a_registration_must_have(block: str, required: tuple[str, ...]) -> None:
    whole = {"rest": REST, "ssh": SSH, "cli": LOGIN, "smis": LOGIN}[block]
    assert refused_field(**{block: whole}) is None
    for field in required:
        less = {key: value for key, value in whole.items() if key != field}
        assert refused_field(**{block: less}) == f"{block}.{field}"


def test_what_a_change_must_have() -> None:
    login: dict[str, object] = {"host": "h", "port": 22, "username": "u"}
    cases: tuple[tuple[str, dict[str, object]], ...] = (("rest", REST), ("ssh", login), ("cli", LOGIN))
    for block, required in cases:
        assert refused_field(update=True, **{block: required}) is None
        for field in required:
            less = {key: value for key, value in required.items() if key != field}
            assert refused_field(update=True, **{block: less}) == f"{block}.{field}"


@pytest.mark.parametrize(
    ("field", "value", "fine"),
    [
        ("host", "", True),
        ("host", "h" * 255, True),
        ("host", "h" * 256, False),
        ("host", "fe80::1", True),
        ("host", "a b", False),
        ("host", "a/b", False),
        ("host", "a\n", False),
        ("port", 0, True),
        ("port", 65535, True),
        ("port", 65536, False),
        ("port", -1, False),
        ("username", "", False),
        ("username", "u" * 256, False),
        ("password", "", False),
        ("password", "ü" * 255, True),
        ("password", "p" * 256, False),
        ("pub_key", "", False),
        ("pub_key", "k" * 4096, True),
        ("pub_key", "k" * 4097, False),
        ("pub_key_type", "ssh-ed25519", True),
        ("pub_key_type", "ed25519", False),
        ("host_key_policy", "SSH_HOST_KEY_POLICY_OFF", True),
        ("host_key_policy", 1, False),
        ("host_key_policy", 77, False),
    ],
)
def test_what_a_field_may_be(field: str, value: object, fine: bool) -> None:
    assert refused_field(ssh={**SSH, field: value}) == (None if fine else f"ssh.{field}")


@pytest.mark.parametrize(
    ("tls", "refused"),
    [
        ({}, None),
        ({"mode": "TLS_MODE_OFF"}, None),
        ({"mode": "TLS_MODE_UNKNOWN"}, "rest.tls.mode"),
        ({"mode": 42}, "rest.tls.mode"),
        ({"mode": "TLS_MODE_PINNED"}, "rest.tls.pinned_certificate_sha256"),
        ({"mode": "TLS_MODE_PINNED", "pinned_certificate_sha256": ":".join(["ab"] * 32)}, None),
        ({"pinned_certificate_sha256": "abc"}, "rest.tls.pinned_certificate_sha256"),
        ({"ca_certificates": "no PEM"}, "rest.tls.ca_certificates"),
        ({"server_name": "a b"}, "rest.tls.server_name"),
    ],
)
def test_what_tls_may_be(tls: dict[str, object], refused: str | None) -> None:
    assert refused_field(rest={**REST, "tls": tls}) == refused


def test_what_else_a_block_may_be() -> None:
    for extra, refused in (
        ({"connect_timeout": "0s"}, "rest.connect_timeout"),
        ({"read_timeout": "601s"}, "rest.read_timeout"),
        ({"read_timeout": "600s", "connect_timeout": "0.5s"}, None),
        ({"max_requests_per_second": -1}, "rest.max_requests_per_second"),
        ({"max_requests_per_second": "NaN"}, "rest.max_requests_per_second"),
    ):
        assert refused_field(rest={**REST, **extra}) == refused
    assert refused_field(smis={**LOGIN, "namespace": ""}) == "smis.namespace"
    assert refused_field(rest={"host": "h", "port": 1, "token": "t"}) is None
    assert refused_field(ssh={"host": "h", "port": 1, "username": "u", "private_key": "k"}) is None
    trusting = {**LOGIN, "port": 22, "host_key_policy": "SSH_HOST_KEY_POLICY_TRUST_FIRST"}
    assert refused_field(ssh=trusting) is None


def test_what_extra_attributes_may_be() -> None:
    rules.check_extra_attributes({"array id:1.0_x-y": "v" * 255, "k" * 255: ""})
    for attributes in ({"a/b": "v"}, {"": "v"}, {"k" * 256: "v"}, {"k": "secret" * 50}):
        with pytest.raises(CallError) as raised:
            rules.check_extra_attributes(attributes)
        assert raised.value.reason == "INVALID_INPUT"
        assert "secret" not in raised.value.message


def test_a_change_keeps_the_secrets_and_proofs_it_does_not_give() -> None:
    stored = access(
        rest={**REST, "token": "t", "tls": {"mode": "TLS_MODE_OFF"}, "read_timeout": "5s"},
        ssh={**SSH, "private_key": "k", "private_key_passphrase": "pp", "pub_key_type": "ssh-rsa"},
        extra_attributes={"a": "1", "b": "2"},
    )
    after = merged(stored, change(ssh={"host": "127.0.0.1", "port": 2222, "username": "other"}))
    assert after.rest == stored.rest
    assert (after.ssh.port, after.ssh.username, after.ssh.password) == (2222, "other", "p")
    assert (after.ssh.private_key, after.ssh.private_key_passphrase) == ("k", "pp")
    assert (after.ssh.pub_key, after.ssh.pub_key_type) == ("AAAA", "ssh-rsa")
    after = merged(stored, change(rest={**REST, "password": "new"}))
    assert (after.rest.password, after.rest.token) == ("new", "t")
    assert after.rest.tls.mode == access_pb2.TLS_MODE_OFF
    assert not after.rest.HasField("read_timeout")
    assert dict(after.extra_attributes) == {"a": "1", "b": "2"}
    after = merged(stored, change(extra_attributes={"a": "3"}))
    assert dict(after.extra_attributes) == {"a": "3"}
    after = merged(stored, change(ssh={**SSH, "pub_key": "BBBB", "private_key": "new"}))
    assert not after.ssh.HasField("pub_key_type")
    assert not after.ssh.HasField("private_key_passphrase")


def test_a_block_can_be_added() -> None:
    after = merged(access(rest=REST), change(cli={**LOGIN, "password": "other"}))
    assert after.rest.password == "p"
    assert after.cli.password == "other"


def test_stored_secrets_are_not_sent_to_another_host() -> None:
    stored = access(ssh=SSH)
    with pytest.raises(CallError) as raised:
        merged(stored, change(ssh={"host": "127.6.6.6", "port": 22, "username": "u"}))
    assert raised.value.metadata["field"] == "ssh.password"
    after = merged(stored, change(ssh={"host": "127.6.6.6", "port": 22, "username": "u", "password": "known"}))
    assert after.ssh.password == "known"
    after = merged(stored, change(ssh={"host": "127.6.6.6", "port": 22, "username": "u", "private_key": "k"}))
    assert not after.ssh.HasField("password")


def test_answers_show_no_secret_and_only_plain_attributes() -> None:
    whole = access(
        rest={**REST, "password": "sentinel", "token": "sentinel", "tls": {"ca_certificates": "shown"}},
        ssh={**SSH, "password": "sentinel", "private_key": "sentinel", "private_key_passphrase": "sentinel"},
        cli={**LOGIN, "password": "sentinel"},
        smis={**LOGIN, "password": "sentinel"},
        extra_attributes={"plain": "shown", "other": "sentinel"},
    )
    whole.MergeFromString(b"\xa2\x06\x08sentinel")  # a field of a newer version
    before = whole.SerializeToString(deterministic=True)
    shown = redacted(whole, plain_keys={"plain"})
    assert b"sentinel" not in shown.SerializeToString()
    assert shown.rest.tls.ca_certificates == "shown"
    assert dict(shown.extra_attributes) == {"plain": "shown"}
    assert shown.ssh.pub_key == "AAAA"
    assert whole.SerializeToString(deterministic=True) == before
