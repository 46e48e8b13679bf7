"""AuthService."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.timestamp_pb2 import Timestamp

from delphis.auth.v1 import auth_pb2 as pb
from services.auth import audit_listing, tokens
from services.auth.authenticator import TokenAuthenticator
from services.auth.tokens import Token
from services.calls.errors import invalid
from services.calls.method import Call, DriverLimits, Method, methods_of, unary
from services.store.engine import Store


class AuthService:
    """The handlers. They need a store, and where tokens are asked for, the authenticator that knows them."""

    def __init__(self, store: Store, authenticator: TokenAuthenticator | None) -> None:
        self._store = store
        self._authenticator = authenticator

    def methods(self) -> Iterator[Method]:
        """The service for a method table."""
        return methods_of(
            pb.DESCRIPTOR.services_by_name["AuthService"],
            {
                "GetCaller": unary(pb.GetCallerRequest, self._get_caller),
                "CreateToken": unary(pb.CreateTokenRequest, self._create_token),
                "ListTokens": unary(pb.ListTokensRequest, self._list_tokens),
                "DeleteToken": unary(pb.DeleteTokenRequest, self._delete_token),
                "ListAuditEntries": unary(pb.ListAuditEntriesRequest, self._list_audit_entries),
            },
        )

    async def _get_caller(self, request: pb.GetCallerRequest, call: Call) -> pb.Caller:
        return pb.Caller(name=call.caller.name, scopes=sorted(call.caller.scopes))  # type: ignore[arg-type]

    async def _create_token(self, request: pb.CreateTokenRequest, call: Call) -> pb.CreateTokenResponse:
        expires_at = 0
        if request.HasField("expires_at"):
            expires_at = request.expires_at.seconds * 1_000_000 + request.expires_at.nanos // 1000
            if expires_at <= 0:
                raise invalid("expires_at", "It must lie in the future.")
        driver = None
        if request.HasField("driver"):
            serves = frozenset((pair.vendor, pair.model) for pair in request.driver.serves)
            driver = DriverLimits(request.driver.name, serves)
        token, secret = await self._store.write(
            lambda connection: tokens.create(connection, request.name, request.scopes, expires_at, driver)
        )
        call.resource_id = str(token.id)
        await self._refresh()
        return pb.CreateTokenResponse(token=_message(token), secret=secret)

    async def _list_tokens(self, request: pb.ListTokensRequest, call: Call) -> pb.ListTokensResponse:
        found = await self._store.read(tokens.load)
        return pb.ListTokensResponse(tokens=[_message(token) for token in found])

    async def _delete_token(self, request: pb.DeleteTokenRequest, call: Call) -> pb.DeleteTokenResponse:
        call.resource_id = request.token_id
        await self._store.write(lambda connection: tokens.remove(connection, request.token_id))
        await self._refresh()
        return pb.DeleteTokenResponse()

    async def _list_audit_entries(self, request: pb.ListAuditEntriesRequest, call: Call) -> pb.ListAuditEntriesResponse:
        return await audit_listing.list_entries(self._store, request)

    async def _refresh(self) -> None:
        if self._authenticator is not None:
            await self._authenticator.refresh()


def _message(token: Token) -> pb.Token:
    message = pb.Token(
        token_id=str(token.id),
        name=token.name,
        scopes=sorted(token.scopes),
        created_at=_stamp(token.created_at),
        expires_at=_stamp(token.expires_at),
        last_used_at=_stamp(token.last_used_at),
    )
    if token.driver is not None:
        message.driver.name = token.driver.name
        for vendor, model in sorted(token.driver.serves):
            message.driver.serves.add(vendor=vendor, model=model)
    return message


def _stamp(at: int) -> Timestamp | None:
    return Timestamp(seconds=at // 1_000_000, nanos=at % 1_000_000 * 1000) if at else None
