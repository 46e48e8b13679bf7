"""The one driver that this process serves, as the SDK's host asks for it: `delphis.delfin.served:Driver`.

It is looked up when the host loads it, so that what goes wrong reaches the operator by way of Delphis.
"""

from __future__ import annotations

import logging
from typing import Any

CLASS = f"{__name__}:Driver"

# Below a warning these write requests and whole answers of arrays.
_TALKATIVE = ("delfin", "paramiko", "urllib3")

_chosen = ""


def choose(name: str) -> None:
    """Names the class of Delfin's interface: `module:Class`, or `path/to/file.py:Class`."""
    global _chosen
    _chosen = name


def __getattr__(name: str) -> Any:
    if name != "Driver":
        raise AttributeError(name)
    from delphis.delfin import deadlines, loading, trust
    from delphis.delfin.hosted import hosted

    for library in _TALKATIVE:
        logging.getLogger(library).setLevel(logging.WARNING)
    found = hosted(loading.find(_chosen))
    deadlines.bound_requests()
    trust.trust_what_is_named()
    return found
