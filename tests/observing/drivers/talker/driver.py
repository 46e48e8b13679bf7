"""A driver that says what it does, its password too."""

from __future__ import annotations

import logging

from delphis.sdk import Capabilities, Context, Storage, StorageDriver, Volume, errors

log = logging.getLogger("talker")


class Talker(StorageDriver):
    def connect(self, context: Context) -> None:
        log.info("logging in with %s", self.access_info.rest.password)

    def get_storage(self, context: Context) -> Storage:
        context.logger.warning("reading the array")
        print("a line of text")
        return Storage(serial_number=self.access_info.rest.host, name="box")

    def get_capabilities(self, context: Context) -> Capabilities:
        log.info("saying what there is")
        try:
            raise ValueError(f"no {self.access_info.rest.password}\n here")
        except ValueError:
            log.exception("it went wrong")
        return Capabilities()

    def list_volumes(self, context: Context) -> list[Volume]:
        raise errors.ArrayUnreachable(f"nobody takes {self.access_info.rest.password}")
