"""What an array answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from delphis.sdk import errors


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, read to its end.

    Attributes:
        method: Of the request, such as `GET`.
        path: Of the request, without its parameters: these may be secrets.
        status: HTTP status.
        headers: Of the answer; names are read without regard to case.
        body: The body, decompressed.
    """

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """The status is 2xx."""
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body, parsed.

        Raises:
            errors.BadResponse: It is no JSON.
        """
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            kind = self.headers.get("Content-Type") or "no content type"
            raise errors.BadResponse(
                f"The array answered {self.method} {self.path} with status {self.status} and {len(self.body)} bytes"
                f" ({kind}) that are no JSON.",
                method=self.method,
                path=self.path,
                status=self.status,
            ) from None

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the array wants to be asked again; None where it doesn't say."""
        value = self.headers.get("Retry-After", "").strip()
        if value.isascii() and value.isdigit():
            return float(value)
        try:
            then = parsedate_to_datetime(value)
        except ValueError:
            return None
        return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
