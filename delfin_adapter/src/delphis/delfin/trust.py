"""Lets HTTP requests of a driver trust exactly the certificates that they are told to.

Such drivers verify against a file. A pinned certificate is put into it alone, and then stands for itself, though
another one signed it; Python does so by itself from 3.13 on.
"""

from __future__ import annotations

import ssl
import sys
from typing import Any


def trust_what_is_named() -> None:
    """Takes a certificate of the file for trusted, be it an authority's or not. For the whole process."""
    connection: Any = sys.modules.get("urllib3.connection")
    if connection is None or hasattr(connection.create_urllib3_context, "partial"):
        return
    create = connection.create_urllib3_context

    def create_context(*arguments: Any, **named: Any) -> ssl.SSLContext:
        context: ssl.SSLContext = create(*arguments, **named)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context

    create_context.partial = True  # type: ignore[attr-defined]
    connection.create_urllib3_context = create_context
