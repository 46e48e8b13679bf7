"""grpc.health.v1.Health.Check: whether a process can serve, which is whether its store answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator

from grpc_health.v1 import health_pb2

from delphis.type.v1 import options_pb2
from services.calls.errors import CallError
from services.calls.method import Call, Method, unary
from services.store.engine import Store
from services.store.errors import StoreFault
from services.store.statement import Statement

log = logging.getLogger(__name__)

_SECONDS = 2.0


Away = Callable[[str], bool]


def methods(store: Store, probe: Statement, served: Iterable[Method], away: Away = lambda _: False) -> Iterator[Method]:
    """The service for a method table. Health.Watch stays the gRPC server's own.

    `probe` asks for a row of any table: SQLite answers `SELECT 1` without its file. `away` says whether a service is
    another process's, which can't be reached.
    """
    services = frozenset(method.path.split("/")[1] for method in served) | {""}

    async def check(request: health_pb2.HealthCheckRequest, _: Call) -> health_pb2.HealthCheckResponse:
        if request.service not in services:
            shown = request.service[:100]
            raise CallError("RESOURCE_NOT_FOUND", f"No service {shown!r} is served here.", metadata={"service": shown})
        if away(request.service):
            raise _unavailable(f"The process that serves {request.service} is away.")
        # A process serves all of its own services or none: which one is asked about makes no difference.
        try:
            async with asyncio.timeout(_SECONDS):
                await store.read(lambda connection: connection.value(probe))
        except TimeoutError:
            raise _unavailable(f"The store did not answer within {_SECONDS:g} s.") from None
        except StoreFault as fault:
            log.warning("the store does not answer: %s", fault)
            raise _unavailable("The store does not answer; the log says why.") from fault
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)

    yield Method(
        path="/grpc.health.v1.Health/Check",
        scope=options_pb2.SCOPE_PUBLIC,
        read_only=True,
        default_deadline=5.0,
        unary=unary(health_pb2.HealthCheckRequest, check),
    )


def _unavailable(message: str) -> CallError:
    return CallError("SERVICE_UNAVAILABLE", message, retry_after=1.0)
