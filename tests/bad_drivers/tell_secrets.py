"""Tells everybody its password and the token of its session."""

from __future__ import annotations

import base64
import logging

from delphis.sdk import Context, Storage, StorageDriver, Volume, errors


class TellSecrets(StorageDriver):
    def connect(self, context: Context) -> None:
        self.mask("session-token-4711")

    def get_storage(self, context: Context) -> Storage:
        rest = self.access_info.rest
        if self.access_info.extra_attributes.get("bad"):
            context.warn(f"logged in with {rest.password}")
        return Storage(serial_number=f"tell-{rest.host}")

    def list_volumes(self, context: Context) -> list[Volume]:
        how = self.access_info.extra_attributes.get("bad", "")
        rest = self.access_info.rest
        basic = base64.b64encode(f"{rest.username}:{rest.password}".encode()).decode()
        if how:
            told = f"password {rest.password}, basic {basic}, token session-token-4711, access {self.access_info}"
            print("printed:", told)
            context.logger.info("logged: %s", told)
            logging.getLogger("some.library").warning("logged by a library: %s", told)
        if how == "known":
            raise errors.InvalidUsernameOrPassword(f"{rest.password} is wrong", password=rest.password, basic=basic)
        if how == "unknown":
            try:
                raise KeyError(rest.password)
            except KeyError as error:
                raise RuntimeError(f"request to https://u:{rest.password}@host failed with {basic}") from error
        return [Volume(native_volume_id=str(number)) for number in range(1, 4)]
