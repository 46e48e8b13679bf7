"""Arrays as the host would make them, without a host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.message import Message

from delphis.sdk import AccessInfo, Context, RestAccess
from drivers.fake_storage.driver import FakeStorageDriver
from drivers.fake_storage.kinds import KINDS


def access_info(
    attributes: Mapping[str, str] | None = None,
    *,
    host: str = "127.8.0.1",
    port: int = 443,
    password: str = "any",
    storage_id: str = "s-1",
) -> AccessInfo:
    rest = RestAccess(host=host, port=port, username="operator", password=password)
    return AccessInfo(storage_id=storage_id, rest=rest, extra_attributes=attributes)


def connected(**attributes: str) -> FakeStorageDriver:
    return connected_to(access_info(attributes))


def connected_to(info: AccessInfo) -> FakeStorageDriver:
    driver = FakeStorageDriver(info)
    driver.connect(Context("s-1"))
    return driver


def listed(driver: FakeStorageDriver, kind: str, context: Context | None = None) -> list[Any]:
    items: Iterable[Message] = getattr(driver, f"list_{kind}")(context or Context("s-1"))
    return list(items)


def everything(driver: FakeStorageDriver) -> dict[str, list[Any]]:
    return {kind: listed(driver, kind) for kind in KINDS}


def native_id(item: Message) -> str:
    """Field 1 of every resource is its native id."""
    return str(getattr(item, item.DESCRIPTOR.fields_by_number[1].name))


def dump(driver: FakeStorageDriver) -> list[bytes]:
    """The whole array, as bytes that can be compared."""
    messages = [driver.get_storage(Context("s-1")), *(item for items in everything(driver).values() for item in items)]
    return [message.SerializeToString(deterministic=True) for message in messages]
