"""An array that says what it can measure, and that counts what its driver is told."""

from __future__ import annotations

from delphis import sdk


class Measuring(sdk.StorageDriver):
    """Its firmware version says how often its session was reset."""

    resets = 0

    def get_storage(self, context: sdk.Context) -> sdk.Storage:
        serial = f"measuring-{self.access_info.rest.port}"
        return sdk.Storage(
            serial_number=serial, vendor="v", model="m", firmware_version=f"{type(self).resets} resets", location="\0"
        )

    def get_capabilities(self, context: sdk.Context) -> sdk.Capabilities:
        return sdk.Capabilities(is_historic=True)

    def reset_connection(self, context: sdk.Context) -> None:
        type(self).resets += 1
        if self.access_info.rest.username == "unlucky":
            raise sdk.errors.ArrayUnreachable("The array is away for the moment.")
