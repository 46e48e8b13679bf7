"""`delfin.context`"""

from __future__ import annotations


class RequestContext:
    """The call that a driver's method serves."""

    def __init__(self, storage_id: str | None = None, **more: object) -> None:
        self.storage_id = storage_id
        self.is_admin = True
        for name, value in more.items():
            setattr(self, name, value)


def get_admin_context() -> RequestContext:
    """A context without a storage."""
    return RequestContext()
