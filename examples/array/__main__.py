"""`python -m examples.array`: serves a Pebble until it is interrupted."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import ssl
import sys

from examples.array.contents import Contents
from examples.array.faults import Faults
from examples.array.server import ArrayServer


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m examples.array", description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1:8480", metavar="HOST:PORT", help="default: %(default)s")
    parser.add_argument("--serial", default="PB-0001", help="serial number; default: %(default)s")
    parser.add_argument("--volumes", type=int, default=1200, help="default: %(default)s")
    parser.add_argument("--latency-s", type=float, default=0.0, help="each request takes so much longer")
    parser.add_argument("--tls-cert", metavar="FILE", help="serve HTTPS with this certificate (PEM)")
    parser.add_argument("--tls-key", metavar="FILE", help="its key")
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(":")
    context = None
    if options.tls_cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.tls_cert, options.tls_key)
    server = ArrayServer(
        (host, int(port)),
        Contents(options.serial, options.volumes),
        password=os.environ.get("PEBBLE_PASSWORD", "pebble-password"),
        faults=Faults(latency_s=options.latency_s),
        tls=context,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(f"Pebble {options.serial} at {host}:{server.port}; user {server.username}", flush=True)
    with contextlib.suppress(KeyboardInterrupt), server:
        server.serve_forever()


if __name__ == "__main__":
    main()
