"""Errors as answers: one exception for every call that fails, with its form on the wire."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from delphis.type.v1 import errors_pb2, options_pb2

DOMAIN = "delphis.dev"
STATUS_DETAILS = "grpc-status-details-bin"

_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_PREFIX = "REASON_"


@dataclass(frozen=True, slots=True)
class ReasonInfo:
    """What the contract says about a reason (`delphis.type.v1.Reason`)."""

    reason: str
    code: grpc.StatusCode
    http_status: int
    text: str


@cache
def reasons() -> dict[str, ReasonInfo]:
    """All reasons of the contract by their names without prefix."""
    found = {}
    for value in errors_pb2.Reason.DESCRIPTOR.values:
        if value.number == 0:
            continue
        options = value.GetOptions()
        name = value.name.removeprefix(_PREFIX)
        found[name] = ReasonInfo(
            reason=name,
            code=_CODES[options.Extensions[options_pb2.code]],
            http_status=options.Extensions[options_pb2.http_status],
            text=options.Extensions[options_pb2.text],
        )
    return found


class CallError(Exception):
    """A call that fails, with a reason of the contract.

    `message` is one sentence: what happened, to what, what to do. `metadata` repeats every changing part of it.
    `details` are further packed messages (RetryInfo is added from `retry_after`, in seconds). `domain` says whose
    reason it is; another than ours comes only from a peer.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        metadata: dict[str, str] | None = None,
        retry_after: float | None = None,
        code: grpc.StatusCode | None = None,
        details: tuple[any_pb2.Any, ...] = (),
        domain: str = DOMAIN,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = metadata or {}
        self.retry_after = retry_after
        self.code = code if code is not None else reasons()[reason].code
        self.details = details
        self.domain = domain
        self.about = ""
        """Id of what the call was about, for the audit log of the core that relayed it."""

    def status(self) -> status_pb2.Status:
        """The error as google.rpc.Status with its ErrorInfo."""
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        if self.reason:
            info = error_details_pb2.ErrorInfo(reason=self.reason, domain=self.domain, metadata=self.metadata)
            status.details.add().Pack(info)
        if self.retry_after is not None:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromNanoseconds(int(self.retry_after * 1e9))
            status.details.add().Pack(retry)
        status.details.extend(self.details)
        return status

    @classmethod
    def from_status(cls, status: status_pb2.Status) -> CallError:
        """The error that a peer sent. A peer's reasons and details are kept, known to us or not."""
        reason, domain, metadata, retry_after = "", DOMAIN, {}, None
        rest = []
        for detail in status.details:
            info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
            if not reason and detail.Unpack(info):
                reason, domain, metadata = info.reason, info.domain or DOMAIN, dict(info.metadata)
            elif retry_after is None and detail.Unpack(retry):
                retry_after = retry.retry_delay.ToNanoseconds() / 1e9
            else:
                rest.append(detail)
        return cls(
            reason,
            status.message,
            metadata=metadata,
            retry_after=retry_after,
            code=_CODES.get(status.code, grpc.StatusCode.UNKNOWN),
            details=tuple(rest),
            domain=domain,
        )

    @classmethod
    def from_rpc_error(cls, error: grpc.RpcError) -> CallError:
        """The error of a call that a gRPC peer, or the transport to it, ended."""
        assert isinstance(error, grpc.aio.AioRpcError)
        for key, value in error.trailing_metadata() or ():
            if key == STATUS_DETAILS:
                status = status_pb2.Status()
                try:
                    status.ParseFromString(value if isinstance(value, bytes) else value.encode("latin-1"))
                except DecodeError:  # the plain code and text remain
                    break
                if status.code == error.code().value[0]:
                    return cls.from_status(status)
        return cls("", error.details() or error.code().name, code=error.code())


def invalid(field: str, problem: str) -> CallError:
    """INVALID_INPUT about one field: `problem` goes on from "Invalid input for field/attribute FIELD."."""
    return CallError(
        "INVALID_INPUT", f"Invalid input for field/attribute {field}. {problem}", metadata={"field": field}
    )
