"""A webhook that counts what it is told, in a process of its own: `python -m benchmarks.alert_sink`.

It prints its port, and answers a GET with what it has seen: events by type and number, each counted once.
"""

from __future__ import annotations

import asyncio
import sys

import orjson


class Sink:
    """What came."""

    def __init__(self) -> None:
        self.posts = self.events = 0
        self.different: set[tuple[str, str, str]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode().lower():
                length = head.partition("content-length: ")[2].partition("\r")[0]
                body = await reader.readexactly(int(length or 0))
                reply = self.shown() if head.startswith("get") else self.take(body)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(reply) + reply)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def take(self, body: bytes) -> bytes:
        """A POST."""
        self.posts += 1
        for event in orjson.loads(body)["events"]:
            alert = event["alert"]
            if alert["origin"] != "delphis":
                self.events += 1
                self.different.add((event["type"], alert["storage_id"], alert["sequence_number"]))
        return b""

    def shown(self) -> bytes:
        """A GET."""
        return orjson.dumps({"posts": self.posts, "events": self.events, "different": len(self.different)})


async def main() -> None:
    """Until it is killed."""
    server = await asyncio.start_server(Sink().serve, "127.0.0.1", 0, limit=1 << 22)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
