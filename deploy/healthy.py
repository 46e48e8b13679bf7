"""Exit with 0 if an HTTP server answers at the URL, be it that a token is missing. For container health checks."""

from __future__ import annotations

import http.client
import sys
from urllib.parse import urlsplit

TIMEOUT = 4  # seconds


def main() -> int:
    url = urlsplit(sys.argv[1])
    connection = http.client.HTTPConnection(url.netloc, timeout=TIMEOUT)
    try:
        connection.request("GET", url.path or "/")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer from {url.netloc}: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    return 0 if status < 500 else 1


if __name__ == "__main__":
    sys.exit(main())
