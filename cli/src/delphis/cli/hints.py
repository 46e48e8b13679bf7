"""What to do about a failed call, as a command that can be typed."""

from __future__ import annotations

from collections.abc import Mapping

# reason -> what to do; {names} are filled from the error's metadata.
_HINTS = {
    "STORAGE_NOT_FOUND": "delphis storages list",
    "ACCESS_INFO_NOT_FOUND": "delphis storages list",
    "STORAGE_ALREADY_EXISTS": "delphis storages show {storage_id}",
    "STORAGE_IS_SYNCING": "delphis jobs wait {job_id}",
    "STORAGE_IS_PAUSED": "delphis storages resume {storage_id}",
    "STORAGE_SERIAL_NUMBER_MISMATCH": "check that the address is that of the registered array",
    "STORAGE_DRIVER_NOT_FOUND": "delphis drivers list",
    "DRIVER_NOT_FOUND": "delphis drivers list",
    "DRIVER_CONFLICT": "delphis drivers prefer NAME VENDOR MODEL",
    "DRIVER_HOST_START_FAILED": "delphis drivers list, which says why; then delphis drivers restart NAME",
    "DRIVER_LOAD_FAILED": "delphis drivers list, which says why",
    "JOB_NOT_FOUND": "delphis jobs list; ended jobs are kept for 7 days",
    "RESOURCE_NOT_FOUND": "delphis storages list, or delphis volumes list",
    "TOKEN_NOT_FOUND": "delphis tokens list",
    "TOKEN_ALREADY_EXISTS": "another name, or first delphis tokens revoke NAME",
    "ALERT_NOT_FOUND": "delphis alerts list",
    "ALERT_SOURCE_NOT_FOUND": "delphis alert-sources set {storage_id}",
    "RECEIVER_NOT_FOUND": "delphis receivers list",
    "RECEIVER_ALREADY_EXISTS": "another name, or delphis receivers update NAME",
    "SINK_NOT_FOUND": "delphis sinks list",
    "SINK_ALREADY_EXISTS": "another name, or delphis sinks update NAME",
    "RECEIVER_FAILED": "delphis receivers show NAME, which says why",
    "SILENCE_NOT_FOUND": "delphis silences list",
    "CHANGE_POSITION_EXPIRED": "list what you need, then watch from now: delphis watch",
    "NOTHING_TO_ACCEPT": "delphis storages show {storage_id}",
    "INVALID_PAGE_TOKEN": "the same command again; the list is read from its beginning",
    "INVALID_USERNAME_OR_PASSWORD": "check user and password, then the same command again",
    "INVALID_IP_OR_PORT": "check --host and --port: the array must answer there to the server",
    "ARRAY_UNREACHABLE": "check that the server can reach the array's address and port",
    "CONNECT_TIMEOUT": "check that the server can reach the array's address and port",
    "SSL_CERTIFICATE_FAILED": "--array-ca FILE with the array's authority, or --array-pin SHA256 of its certificate",
    "ACCESS_INFO_INCOMPLETE": "delphis drivers show NAME lists what the driver wants to know",
    "ARRAY_QUARANTINED": "delphis quarantines list; then delphis quarantines release {storage_id}",
    "ARRAY_BUSY": "the same command later",
    "TOO_MANY_REQUESTS": "the same command later",
}


class _Known(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return name.upper()


def hint_for(reason: str, metadata: Mapping[str, str]) -> str:
    """What to do; empty where the message says all that we know."""
    if reason not in _HINTS and reason.endswith("_NOT_FOUND"):
        kind = reason.removesuffix("_NOT_FOUND").lower().replace("_", "-")
        return f"delphis {_COMMANDS.get(kind, kind + 's')} list" if kind in _KINDS else ""
    return _HINTS.get(reason, "").format_map(_Known(metadata))


_COMMANDS = {"storage-host-initiator": "initiators", "storage-host-group": "host-groups"}
_KINDS = frozenset(
    {
        *("storage-pool", "volume", "controller", "port", "disk", "filesystem", "qtree", "quota", "share"),
        *("storage-host", "port-group", "volume-group", "masking-view", *_COMMANDS),
    }
)
