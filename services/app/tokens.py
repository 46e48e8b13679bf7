"""`delphis db token create`: the first token, before anybody can ask the API for one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from services.app.failure import StartFailure
from services.auth import tokens
from services.calls.errors import CallError
from services.calls.method import DriverLimits
from services.inventory.schema import SCHEMA
from services.store.engine import Store
from services.store.errors import SchemaError, StoreFault


def create(database: str, name: str, scopes: str, driver: str = "", serves: Sequence[str] = ()) -> str:
    """Makes a token and returns its secret. With a `driver`, one for its hosts, which may serve `vendor/model`."""
    if database.startswith("sqlite:///"):
        Path(database.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    try:
        return asyncio.run(_create(database, name, scopes, driver, serves))
    except CallError as error:
        raise StartFailure(error.message) from error
    except (StoreFault, SchemaError, ValueError) as error:
        raise StartFailure(str(error)) from error


async def _create(database: str, name: str, scopes: str, driver: str, serves: Sequence[str]) -> str:
    if serves and not driver:
        raise StartFailure("--serves goes with --driver NAME: the driver whose hosts may serve it.")
    granted = tokens.scopes_of(scopes) if scopes or not driver else []
    limits = DriverLimits(driver, frozenset(map(tokens.pair_of, serves))) if driver else None
    store = Store.open(database, SCHEMA)
    try:
        _, secret = await store.write(lambda connection: tokens.create(connection, name, granted, driver=limits))
        return secret
    finally:
        await store.close()
