"""LeaseService: hosts that run elsewhere announce themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.protobuf.duration_pb2 import Duration

from delphis.registry.v1 import lease_pb2 as pb
from services.calls.errors import CallError, invalid
from services.calls.method import Call, Method, methods_of, unary
from services.registry.host_table import HostTable, check_announced
from services.registry.leases import Announcement
from services.registry.manifest import Pair

_ENDPOINT = re.compile(r"tcp://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_MOST_PAIRS = 1000


class LeaseService:
    """The handlers."""

    def __init__(self, table: HostTable, ttl: float) -> None:
        self._table = table
        self._ttl = Duration(nanos=0)
        self._ttl.FromMilliseconds(int(ttl * 1000))

    def methods(self) -> Iterator[Method]:
        """The service for a method table."""
        return methods_of(
            pb.DESCRIPTOR.services_by_name["LeaseService"],
            {
                "AcquireLease": unary(pb.AcquireLeaseRequest, self.acquire_lease),
                "ReleaseLease": unary(pb.ReleaseLeaseRequest, self.release_lease),
            },
        )

    async def acquire_lease(self, request: pb.AcquireLeaseRequest, call: Call) -> pb.Lease:
        """Announces a host."""
        call.resource_id = request.name
        if self._table.tls is None:
            raise CallError(
                "LEASES_OFF",
                "This core was given no certificates for hosts that run elsewhere; start it with --lease-tls.",
            )
        asked = _announcement(request)
        try:
            _authorise(asked, call)
            lease, problem = await self._table.acquire(asked, call.caller.name)
        except CallError as error:
            if error.reason == "NOT_AUTHORIZED":
                self._table.refused(asked.driver, asked.endpoint, error)
            raise
        return pb.Lease(lease_id=str(lease.id), ttl=self._ttl, problem=problem)

    async def release_lease(self, request: pb.ReleaseLeaseRequest, call: Call) -> pb.ReleaseLeaseResponse:
        """Takes the announcement back."""
        if self._table.tls is not None:
            call.resource_id = await self._table.release(request.lease_id, call.caller.name)
        return pb.ReleaseLeaseResponse()


def _announcement(request: pb.AcquireLeaseRequest) -> Announcement:
    if not _NAME.fullmatch(request.name):
        raise invalid("name", "It must be letters, digits, dots, dashes and underscores, such as dev.acme.box.")
    endpoint = _ENDPOINT.fullmatch(request.endpoint)
    if endpoint is None or not 0 < int(endpoint[2]) < 65536 or len(request.endpoint) > 255:
        raise invalid("endpoint", "It must be tcp://HOST:PORT, where the core reaches the host.")
    digest = request.certificate_sha256.lower()
    if not _SHA256.fullmatch(digest):
        raise invalid("certificate_sha256", "It must be 64 hexadecimal digits: the SHA-256 of the certificate in DER.")
    if not 1 <= len(request.serves) <= _MOST_PAIRS:
        raise invalid("serves", f"Name 1 to {_MOST_PAIRS} pairs of vendor and model.")
    serves = {
        Pair(check_announced("serves.vendor", pair.vendor, 255), check_announced("serves.model", pair.model, 255))
        for pair in request.serves
    }
    return Announcement(
        request.name,
        request.endpoint,
        check_announced("version", request.version or "0", 64),
        tuple(sorted(serves)),
        digest,
        check_announced("server_id", request.server_id, 64),
    )


def _authorise(asked: Announcement, call: Call) -> None:
    limits = call.caller.driver
    if limits is None:  # a process of Delphis' own, or nobody needs a token
        return
    if limits.name != asked.driver:
        raise CallError(
            "NOT_AUTHORIZED",
            f"The token {call.caller.name} is for hosts of {limits.name}, not of {asked.driver}.",
            metadata={"caller": call.caller.name, "driver": asked.driver},
        )
    refused = [str(pair) for pair in asked.serves if pair not in limits.serves]
    if refused:
        raise CallError(
            "NOT_AUTHORIZED",
            f"The token {call.caller.name} is not for {', '.join(refused)}; `delphis tokens create --serves` names "
            "what a driver may serve.",
            metadata={"caller": call.caller.name, "driver": asked.driver, "pairs": ", ".join(refused)},
        )
