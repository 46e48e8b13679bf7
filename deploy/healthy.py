"""Exit with 0 if a server is healthy. For the health checks of containers.

`http://HOST:PORT/PATH`: it answers, be it that a token is missing. `grpcs://HOST:PORT CA`: grpc.health.v1.Health says
that it serves; its certificate must be of that authority.
"""

from __future__ import annotations

import http.client
import sys
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT = 4  # seconds


def answers(address: str, path: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer from {address}: {error}", file=sys.stderr)
        return False
    finally:
        connection.close()
    if status >= 500:
        print(f"{address} answered {status}", file=sys.stderr)
    return status < 500


def serves(address: str, authority: Path) -> bool:
    import grpc
    from grpc_health.v1 import health_pb2

    credentials = grpc.ssl_channel_credentials(authority.read_bytes())
    with grpc.secure_channel(address, credentials) as channel:
        check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            answer = check(b"", timeout=TIMEOUT)
        except grpc.RpcError as error:
            said = error.details() if isinstance(error, grpc.Call) else error
            print(f"{address} is not ready: {said}", file=sys.stderr)
            return False
    status = health_pb2.HealthCheckResponse.FromString(answer).status
    return bool(status == health_pb2.HealthCheckResponse.SERVING)


def main() -> int:
    url = urlsplit(sys.argv[1])
    if url.scheme == "grpcs":
        return 0 if serves(url.netloc, Path(sys.argv[2])) else 1
    return 0 if answers(url.netloc, url.path or "/") else 1


if __name__ == "__main__":
    sys.exit(main())
