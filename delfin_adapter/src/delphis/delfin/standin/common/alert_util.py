"""`delfin.common.alert_util`"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from delphis.delfin.standin import exception
else:
    from delfin import exception


def is_alert_in_time_range(query_para: Mapping[str, Any] | None, occur_time: Any) -> bool:
    """Whether an alert lies between `begin_time` and `end_time`, in ms; either may be missing."""
    if not query_para:
        return True
    try:
        begin, end = query_para.get("begin_time"), query_para.get("end_time")
        if begin is not None and int(occur_time) < int(begin):
            return False
        return end is None or int(occur_time) <= int(end)
    except (TypeError, ValueError):
        raise exception.InvalidInput("The time range of the alerts can't be read.") from None
