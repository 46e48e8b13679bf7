"""AuthService behind the pipeline: who is who, who may what, and who did what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from delphis.auth.v1 import auth_pb2 as pb
from delphis.type.v1 import options_pb2
from services.auth import tokens
from services.auth.secret import PREFIX
from services.calls.errors import CallError
from tests.inventory.core import Core, core, refusal, until

AUTH = "/delphis.auth.v1.AuthService/"
READ, OPERATE, ADMIN = options_pb2.SCOPE_READ, options_pb2.SCOPE_OPERATE, options_pb2.SCOPE_ADMIN
SERVICE_TOKEN = "service-token-of-this-test-0123456789"


@pytest.fixture
async def locked(tmp_path: Path) -> AsyncIterator[Core]:
    """A core that asks for tokens; its tests call as an administrator."""
    async with core(tmp_path, authenticate=True, service_token=SERVICE_TOKEN) as running:
        _, running.token = await running.store.write(lambda connection: tokens.create(connection, "root", (ADMIN,)))
        await until(lambda: known(running), bool)
        yield running


async def known(running: Core) -> bool:
    try:
        await caller(running)
    except CallError:
        return False
    return True


async def caller(running: Core) -> pb.Caller:
    return await running.call(AUTH + "GetCaller", pb.GetCallerRequest(), pb.Caller)


async def create(
    running: Core, name: str, *scopes: options_pb2.Scope.ValueType, expires_at: Timestamp | None = None
) -> pb.CreateTokenResponse:
    request = pb.CreateTokenRequest(name=name, scopes=scopes, expires_at=expires_at)
    return await running.call(AUTH + "CreateToken", request, pb.CreateTokenResponse)


async def entries(running: Core, text: str = "", **fields: object) -> pb.ListAuditEntriesResponse:
    request = pb.ListAuditEntriesRequest(filter=text, **fields)  # type: ignore[arg-type]
    return await running.call(AUTH + "ListAuditEntries", request, pb.ListAuditEntriesResponse)


async def test_a_token_is_made_shown_once_used_and_ended(locked: Core) -> None:
    made = await create(locked, "reports", READ)
    assert made.secret.startswith(PREFIX)
    assert (made.token.name, list(made.token.scopes)) == ("reports", [READ])
    assert made.token.HasField("created_at")
    assert not made.token.HasField("expires_at")
    listed = await locked.call(AUTH + "ListTokens", pb.ListTokensRequest(), pb.ListTokensResponse)
    assert [token.name for token in listed.tokens] == ["reports", "root"]
    assert made.secret not in str(listed)
    root, locked.token = locked.token, made.secret
    assert await caller(locked) == pb.Caller(name="reports", scopes=[READ])
    assert (await refusal(create(locked, "more", ADMIN))).reason == "NOT_AUTHORIZED"
    assert (await refusal(locked.register(1))).reason == "NOT_AUTHORIZED"
    assert (await locked.storages()).storages == []
    locked.token = root
    request = pb.DeleteTokenRequest(token_id=made.token.token_id)
    await locked.call(AUTH + "DeleteToken", request, pb.DeleteTokenResponse)
    locked.token = made.secret
    assert (await refusal(caller(locked))).reason == "UNAUTHENTICATED"
    locked.token = root
    gone = locked.call(AUTH + "DeleteToken", request, pb.DeleteTokenResponse)
    assert (await refusal(gone)).reason == "TOKEN_NOT_FOUND"


async def test_bad_tokens_are_refused(locked: Core) -> None:
    for token in (None, "", "nonsense", PREFIX):
        locked.token, root = token, locked.token
        assert (await refusal(caller(locked))).reason == "UNAUTHENTICATED"
        locked.token = root
    assert (await refusal(create(locked, "root", READ))).reason == "TOKEN_ALREADY_EXISTS"
    assert (await refusal(create(locked, "x"))).reason == "INVALID_INPUT"
    assert (await refusal(create(locked, "x", options_pb2.SCOPE_SERVICE))).reason == "INVALID_INPUT"
    assert (await refusal(create(locked, "x", READ, expires_at=Timestamp(seconds=1)))).reason == "INVALID_INPUT"
    assert (await refusal(create(locked, "x", READ, expires_at=Timestamp(seconds=-1)))).reason == "INVALID_INPUT"


async def test_our_own_processes_may_everything(locked: Core) -> None:
    locked.token = SERVICE_TOKEN
    assert await caller(locked) == pb.Caller(name="service", scopes=[options_pb2.SCOPE_SERVICE])
    assert (await create(locked, "by-service", OPERATE)).secret


async def test_the_audit_log_says_who_changed_what_and_who_was_refused(locked: Core) -> None:
    made = await create(locked, "reports", READ)
    root, locked.token = locked.token, made.secret
    await refusal(locked.sync("x"))
    await locked.storages()
    locked.token = None
    await refusal(locked.storages())
    locked.token = root
    await refusal(locked.delete("11111111-1111-1111-1111-111111111111"))
    written = await until(lambda: entries(locked), lambda page: len(page.audit_entries) >= 4)
    seen = [
        (entry.caller, entry.method.rpartition("/")[2], entry.resource_id, entry.code, entry.reason)
        for entry in written.audit_entries
        if entry.method != "delphis.auth.v1.AuthService/ListAuditEntries"
        and entry.method.rpartition("/")[2] != "GetCaller"
    ]
    assert seen == [
        ("root", "DeleteStorage", "11111111-1111-1111-1111-111111111111", "NOT_FOUND", "STORAGE_NOT_FOUND"),
        ("", "ListStorages", "", "UNAUTHENTICATED", "UNAUTHENTICATED"),
        ("reports", "SyncStorage", "", "PERMISSION_DENIED", "NOT_AUTHORIZED"),
        ("root", "CreateToken", made.token.token_id, "OK", ""),
    ]
    first = written.audit_entries[0]
    assert (first.request_id, first.peer) == ("req-test", "test")
    assert first.HasField("at")
    refused = await entries(locked, "code = UNAUTHENTICATED")
    assert {entry.code for entry in refused.audit_entries} == {"UNAUTHENTICATED"}
    page = await entries(locked, "caller = root", page_size=1)
    assert len(page.audit_entries) == 1
    rest = await entries(locked, "caller = root", page_size=1, page_token=page.next_page_token)
    assert rest.audit_entries[0] != page.audit_entries[0]
    assert (await refusal(entries(locked, "colour = red"))).reason == "INVALID_INPUT"
