"""Simulated arrays on real sockets: generated ones, with a state of their own, and recordings that are replayed.

    from delphis.sdk.simulation import Answer, Simulator, route

    class Box(Simulator):
        @route("GET", "/volumes", login=False)
        def volumes(self, request):
            return {"items": [{"name": "v1"}]}

    with Box(tls=True) as box:
        box.faults.arm(throttled(2), path="/volumes")
        ...

See docs/recording.md.
"""

from delphis.sdk.simulation.errors import SimulationError
from delphis.sdk.simulation.faults import EXPIRED, GARBAGE, HALF, HANG, RESET, Fault, Faults, delayed, status, throttled
from delphis.sdk.simulation.messages import Answer, Request
from delphis.sdk.simulation.paging import Page, by_range, by_token, page
from delphis.sdk.simulation.server import Served, Simulator, route
from delphis.sdk.simulation.sessions import Sessions

__all__ = [
    "EXPIRED",
    "GARBAGE",
    "HALF",
    "HANG",
    "RESET",
    "Answer",
    "Fault",
    "Faults",
    "Page",
    "Request",
    "Served",
    "Sessions",
    "SimulationError",
    "Simulator",
    "by_range",
    "by_token",
    "delayed",
    "page",
    "route",
    "status",
    "throttled",
]
