"""Tokens: made, known, used, ended; by this process and by others."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from delphis.type.v1 import options_pb2
from services.auth import authenticator as authenticator_module
from services.auth import service_token, tokens
from services.auth.authenticator import TokenAuthenticator
from services.auth.secret import PREFIX, hash_of, new_secret
from services.calls.errors import CallError
from services.calls.method import Caller, DriverLimits
from services.inventory.schema import SCHEMA
from services.store.engine import Store
from services.store.errors import StoreFault
from tests.inventory.core import until

READ, OPERATE, ADMIN = options_pb2.SCOPE_READ, options_pb2.SCOPE_OPERATE, options_pb2.SCOPE_ADMIN
SERVICE = "service-token-of-this-test-0123456789"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'store.db'}", SCHEMA)
    yield opened
    await opened.close()


@pytest.fixture
async def authenticator(store: Store) -> AsyncIterator[TokenAuthenticator]:
    made = TokenAuthenticator(store, service_token=SERVICE)
    await made.start()
    yield made
    await made.stop()


async def create(store: Store, name: str, *scopes: options_pb2.Scope.ValueType, expires_at: int = 0) -> str:
    _, secret = await store.write(lambda connection: tokens.create(connection, name, scopes or (READ,), expires_at))
    return secret


async def knows(authenticator: TokenAuthenticator, secret: str) -> bool:
    try:
        authenticator.authenticate(secret)
    except CallError:
        return False
    return True


def files_of(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.iterdir()]


def reason(error: pytest.ExceptionInfo[CallError]) -> str:
    return error.value.reason


def test_a_secret_is_recognisable_and_kept_as_a_hash() -> None:
    secret = new_secret()
    assert secret.startswith(PREFIX)
    assert len(secret) > 40
    assert new_secret() != secret
    assert hash_of(secret) != hash_of(secret + "x")
    assert len(hash_of("\udcff")) == 32


async def test_the_bearer_is_known_by_name_and_scopes(store: Store, authenticator: TokenAuthenticator) -> None:
    secret = await create(store, "reporting", READ, OPERATE)
    await authenticator.refresh()
    caller = authenticator.authenticate(secret)
    assert caller.name == "reporting"
    assert caller.may(OPERATE)
    assert not caller.may(ADMIN)
    for wrong in (None, "", "nonsense", secret + "x", secret[:-1], PREFIX):
        with pytest.raises(CallError) as raised:
            authenticator.authenticate(wrong)
        assert reason(raised) == "UNAUTHENTICATED"
        assert secret not in raised.value.message


async def test_our_own_processes_are_known_by_a_token_outside_the_store(
    store: Store, authenticator: TokenAuthenticator
) -> None:
    assert authenticator.authenticate(SERVICE).may(options_pb2.SCOPE_SERVICE)
    with pytest.raises(CallError):
        TokenAuthenticator(store).authenticate(SERVICE)


async def test_another_process_token_is_known_soon_and_its_end_too(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authenticator_module, "REFRESH_SECONDS", 0.1)
    authenticator = TokenAuthenticator(store)
    await authenticator.start()
    other = Store.open(f"sqlite:///{tmp_path / 'store.db'}", SCHEMA)
    token, secret = await other.write(lambda connection: tokens.create(connection, "t", (READ,)))
    await until(lambda: knows(authenticator, secret), bool)
    await other.write(lambda connection: tokens.remove(connection, str(token.id)))
    await until(lambda: knows(authenticator, secret), lambda known: not known)
    await other.close()
    await authenticator.stop()


async def test_an_expired_token_is_refused(store: Store, authenticator: TokenAuthenticator) -> None:
    secret = await create(store, "short", expires_at=time.time_ns() // 1000 + 150_000)
    await authenticator.refresh()
    assert authenticator.authenticate(secret).name == "short"
    await until(lambda: knows(authenticator, secret), lambda known: not known)
    with pytest.raises(CallError, match="expired"):
        authenticator.authenticate(secret)


async def test_the_last_use_is_kept_to_the_minute(store: Store) -> None:
    authenticator = TokenAuthenticator(store)
    await authenticator.start()
    secret = await create(store, "used")
    await authenticator.refresh()
    for _ in range(100):
        authenticator.authenticate(secret)
    await authenticator.stop()
    [token] = await store.read(tokens.load)
    assert token.last_used_at % 60_000_000 == 0
    assert 0 <= time.time_ns() // 1000 - token.last_used_at < 120_000_000


async def test_names_are_unique_and_scopes_are_those_for_people(store: Store) -> None:
    await create(store, "one")
    for name, scopes, expected in (
        ("one", (READ,), "TOKEN_ALREADY_EXISTS"),
        ("", (READ,), "INVALID_INPUT"),
        ("n" * 256, (READ,), "INVALID_INPUT"),
        ("a\nb", (READ,), "INVALID_INPUT"),
        ("two", (), "INVALID_INPUT"),
        ("two", (options_pb2.SCOPE_SERVICE,), "INVALID_INPUT"),
        ("two", (options_pb2.SCOPE_PUBLIC,), "INVALID_INPUT"),
        ("two", (99,), "INVALID_INPUT"),
    ):
        with pytest.raises(CallError) as raised:
            await store.write(lambda connection, n=name, s=scopes: tokens.create(connection, n, s))  # type: ignore[misc]
        assert reason(raised) == expected
    with pytest.raises(CallError) as raised:
        await create(store, "past", expires_at=1)
    assert reason(raised) == "INVALID_INPUT"
    assert [token.name for token in await store.read(tokens.load)] == ["one"]


def test_scopes_are_named_joined_by_commas() -> None:
    assert tokens.scopes_of("read, Operate") == [READ, OPERATE]
    for text in ("", "read,write", "service", ","):
        with pytest.raises(CallError):
            tokens.scopes_of(text)


async def test_the_store_holds_no_secret(tmp_path: Path, store: Store) -> None:
    secret = await create(store, "one")
    await store.close()
    for content in files_of(tmp_path):
        assert secret.encode() not in content
        assert secret.removeprefix(PREFIX).encode() not in content


def test_the_service_token_comes_by_descriptor_or_file(tmp_path: Path) -> None:
    assert service_token.from_descriptor(service_token.to_descriptor(SERVICE)) == SERVICE
    file = tmp_path / "token"
    file.write_text(SERVICE + "\n")
    file.chmod(0o600)
    assert service_token.from_file(file) == SERVICE
    file.chmod(0o604)
    with pytest.raises(service_token.ServiceTokenError, match="chmod"):
        service_token.from_file(file)
    file.chmod(0o600)
    for content in ("", "short", "two words that are long enough for it", "\x00" * 40):
        file.write_text(content)
        with pytest.raises(service_token.ServiceTokenError):
            service_token.from_file(file)
    with pytest.raises(service_token.ServiceTokenError, match=str(tmp_path / "none")):
        service_token.from_file(tmp_path / "none")
    reading, writing = os.pipe()
    os.close(writing)
    with pytest.raises(service_token.ServiceTokenError):
        service_token.from_descriptor(reading)


async def test_a_store_that_fails_does_not_end_the_reading_of_tokens(
    store: Store, authenticator: TokenAuthenticator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(work: object) -> None:
        raise RuntimeError("unforeseen")

    with monkeypatch.context() as patch:
        patch.setattr(store, "read", broken)
        await create(store, "late")
        await until(lambda: asyncio.sleep(0, "trying again" in caplog.text), bool)
    secret = await create(store, "later")
    await until(lambda: knows(authenticator, secret), bool)


async def test_a_full_store_does_not_keep_the_core_from_ending(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = await create(store, "known")
    authenticator = TokenAuthenticator(store)
    await authenticator.start()
    authenticator.authenticate(secret)

    async def full(work: object) -> None:
        raise StoreFault("write", "the disk is full")

    monkeypatch.setattr(store, "write", full)
    await authenticator.stop()
    assert "the disk is full" in caplog.text


async def test_a_token_for_a_drivers_hosts_keeps_its_limits(store: Store) -> None:
    limits = DriverLimits("dev.acme.box", frozenset({("acme", "box"), ("acme", "box/2 x")}))
    token, _ = await store.write(lambda connection: tokens.create(connection, "hosts", [], driver=limits))
    (known,) = await store.read(tokens.load)
    assert (known.driver, known.scopes) == (limits, frozenset({tokens.DRIVER}))
    assert known == token
    caller = Caller("hosts", known.scopes, known.driver)
    assert caller.may(tokens.DRIVER)
    assert not caller.may(READ)


@pytest.mark.parametrize(
    ("scopes", "limits", "field"),
    [
        pytest.param([READ], DriverLimits("dev.acme.box", frozenset({("acme", "box")})), "scopes", id="with-read"),
        pytest.param([tokens.DRIVER], None, "scopes", id="without-limits"),
        pytest.param([], DriverLimits("", frozenset({("acme", "box")})), "driver.name", id="without-name"),
        pytest.param([], DriverLimits("dev.acme.box", frozenset()), "driver.serves", id="without-pairs"),
        pytest.param([], DriverLimits("dev.acme.box", frozenset({("acme", " box")})), "driver.serves", id="space"),
    ],
)
async def test_limits_that_nobody_could_mean(
    store: Store, scopes: list[options_pb2.Scope.ValueType], limits: DriverLimits | None, field: str
) -> None:
    with pytest.raises(CallError) as refused:
        await store.write(lambda connection: tokens.create(connection, "hosts", scopes, driver=limits))
    assert refused.value.reason == "INVALID_INPUT"
    assert field in str(refused.value.metadata) + refused.value.message
    assert await store.read(tokens.load) == []
