"""Who bears a token: answered from memory, kept fresh from the store."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
import time
import uuid
from dataclasses import dataclass

from delphis.type.v1 import options_pb2
from services.auth import tokens
from services.auth.secret import hash_of
from services.calls.errors import CallError
from services.calls.method import Caller
from services.store.engine import Store
from services.store.errors import StoreFault

log = logging.getLogger(__name__)

REFRESH_SECONDS = 2.0
_MINUTE = 60_000_000
_SERVICE = Caller("service", frozenset({options_pb2.SCOPE_SERVICE}))
_SEND_ONE = "Send `Authorization: Bearer TOKEN`; `delphis db token create` makes one."


@dataclass(frozen=True, slots=True)
class _Known:
    token: tokens.Token
    caller: Caller


class TokenAuthenticator:
    """Knows all tokens. Changes made here count at once, those of other processes after `REFRESH_SECONDS`."""

    def __init__(self, store: Store, *, service_token: str | None = None) -> None:
        """`service_token` is that of Delphis' own processes."""
        self._store = store
        self._service_hash = hash_of(service_token) if service_token is not None else None
        self._known: dict[bytes, _Known] = {}
        self._used: dict[uuid.UUID, int] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Loads the tokens, and begins to look for changes."""
        await self.refresh()
        self._task = asyncio.create_task(self._keep_fresh(), name="tokens")

    async def stop(self) -> None:
        """Ends looking, and writes when tokens were last used."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        try:
            await self._write_used()
        except StoreFault as fault:  # the rest of the core wants to end in order as well
            log.warning("when tokens were last used is not written: %s", fault)

    async def refresh(self) -> None:
        """Reads the tokens anew."""
        self._known = {
            token.secret_hash: _Known(token, Caller(token.name, frozenset(token.scopes), token.driver))
            for token in await self._store.read(tokens.load)
        }

    def authenticate(self, token: str | None) -> Caller:
        """The bearer, or UNAUTHENTICATED."""
        if token is None:
            raise CallError("UNAUTHENTICATED", f"This call needs a token. {_SEND_ONE}")
        digest = hash_of(token)
        if self._service_hash is not None and hmac.compare_digest(digest, self._service_hash):
            return _SERVICE
        known = self._known.get(digest)
        # The table is found by a hash of the secret, so its timing tells nothing; the comparison takes no chances.
        if known is None or not hmac.compare_digest(digest, known.token.secret_hash):
            raise CallError("UNAUTHENTICATED", f"The token is not known. {_SEND_ONE}")
        now = time.time_ns() // 1000
        if 0 < known.token.expires_at <= now:
            raise CallError(
                "UNAUTHENTICATED", f"The token {known.token.name} has expired.", metadata={"name": known.token.name}
            )
        self._used[known.token.id] = now - now % _MINUTE
        return known.caller

    async def _keep_fresh(self) -> None:
        failing = False
        mark = self._store.signals.mark(tokens.CHANGED)
        while True:
            await self._store.signals.wait(tokens.CHANGED, mark, REFRESH_SECONDS)
            mark = self._store.signals.mark(tokens.CHANGED)
            try:
                await self.refresh()
                await self._write_used()
            except StoreFault as fault:
                if not failing:
                    log.warning("tokens can't be read, those known so far stay valid: %s", fault)
                failing = True
            except Exception:  # else a token that is revoked from now on would stay valid
                log.exception("reading the tokens failed by a fault of Delphis; trying again")
            else:
                failing = False

    async def _write_used(self) -> None:
        """Only where a minute is new, so that a busy caller costs one write a minute."""
        seen = {known.token.id: known.token.last_used_at for known in self._known.values()}
        used = [(token_id, at) for token_id, at in self._used.items() if seen.get(token_id, at) < at]
        self._used.clear()
        if used:
            await self._store.write(lambda connection: tokens.mark_used(connection, used))
