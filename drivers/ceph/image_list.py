"""The images of a pool, page by page, and whether all of them came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from delphis.sdk import Context, errors
from delphis.sdk.http import Page, by_token

from .api import DashboardApi

AT_A_TIME = 100


class ImageList:
    """One walk through the images of a pool.

    The dashboard counts and cuts its pages by names that it remembers for half a minute. An image that was renamed or
    removed since is counted, but left out of its page.

    Attributes:
        counted: How many images the dashboard says there are, each time it said so.
        given: How many it gave.
    """

    def __init__(self, api: DashboardApi, pool: str) -> None:
        self.counted: set[int] = set()
        self.given = 0
        self._api = api
        self._pool = pool

    def images(self, context: Context) -> Iterator[Any]:
        """All that the dashboard gives. One that comes or goes meanwhile may shift others: they come twice, or not."""
        for page in by_token(lambda token: self._page(context, int(token or 0))):
            self.given += len(page.items)
            yield from page.items

    @property
    def is_complete(self) -> bool:
        """As many came as were counted, and the count stayed the same."""
        return len(self.counted) <= 1 and all(count <= self.given for count in self.counted)

    def _page(self, context: Context, offset: int) -> Page[Any]:
        # Without a limit the dashboard gives the first five.
        params = {"pool_name": self._pool, "offset": offset, "limit": AT_A_TIME}
        reply = self._api.read(context, "/api/block/image", params)
        try:
            images = [image for part in reply.json() for image in part["value"]]
        except (KeyError, TypeError) as error:
            raise errors.BadResponse(
                f"What the dashboard says of the images of {self._pool!r} can't be read: {error!r}."
            ) from error
        counted = reply.headers.get("X-Total-Count", "")
        if counted.isdigit():
            self.counted.add(int(counted))
            follows = offset + AT_A_TIME < int(counted)
        else:
            follows = len(images) >= AT_A_TIME
        return Page(images, next=str(offset + AT_A_TIME) if follows else None)
