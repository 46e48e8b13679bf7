"""The driver of `boxes.Box`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from delphis.sdk import AccessInfo, Context, Storage, StorageDriver, Volume
from delphis.sdk.http import RestSession


class BoxApi(RestSession):
    keep_cookies = True

    def log_in(self, context: Context) -> None:
        login = {"user": self.access.username, "password": self.access.password}
        self.authorize(self.post(context, "/api/login", json=login).json()["token"], header="X-Box-Token", scheme="")

    def log_out(self, context: Context) -> None:
        self.request(context, "DELETE", "/api/login")


class BoxDriver(StorageDriver):
    """Reads a box."""

    def __init__(self, access_info: AccessInfo) -> None:
        super().__init__(access_info)
        self.api = BoxApi(access_info.rest)

    def connect(self, context: Context) -> None:
        self.api.open(context)

    def close(self) -> None:
        self.api.close()

    def get_storage(self, context: Context) -> Storage:
        system = self.system(context)
        return Storage(name=system["name"], serial_number=system["serialNumber"], firmware_version=system["firmware"])

    def list_volumes(self, context: Context) -> Iterator[Volume]:
        serial, page = self.system(context)["serialNumber"], None
        while True:
            params = {"size": 10, **({"page": page} if page else {})}
            part = self.api.get(context, f"/api/systems/{serial}/volumes", params=params).json()
            for each in part["items"]:
                yield Volume(
                    native_volume_id=each["id"],
                    name=each["name"],
                    wwn=each["wwn"].replace(":", ""),
                    total_capacity=each["size"],
                )
            page = part["next"]
            if page is None:
                return

    def system(self, context: Context) -> Any:
        return self.api.get(context, "/api/system").json()
