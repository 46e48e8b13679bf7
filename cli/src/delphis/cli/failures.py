"""Failed calls, told to people, scripts and shells."""

from __future__ import annotations

import json
from typing import IO, Any, cast

import click
import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

REFUSED = 1
UNREACHABLE = 3
NOT_PERMITTED = 4

DETAILS_KEY = "grpc-status-details-bin"

Trailers = tuple[tuple[str, str | bytes], ...] | None


def reason_of(error: grpc.RpcError) -> tuple[str, dict[str, str]]:
    """Reason and metadata of the answer's google.rpc.ErrorInfo; ("", {}) if it has none."""
    for key, value in cast("Trailers", cast("grpc.Call", error).trailing_metadata()) or ():
        if key != DETAILS_KEY or not isinstance(value, bytes):
            continue
        try:
            status = status_pb2.Status.FromString(value)
        except DecodeError:
            return "", {}
        info = error_details_pb2.ErrorInfo()
        for detail in status.details:
            if detail.Unpack(info):
                return info.reason, dict(info.metadata)
    return "", {}


class CallFailed(click.ClickException):
    """The server answered with an error, or did not answer."""

    def __init__(self, error: grpc.RpcError, *, server: str, as_json: bool) -> None:
        call = cast("grpc.Call", error)  # what a failed call raises is the call itself; the types do not say so
        code = call.code()
        said = call.details() or "no further word"
        self.reason, self.metadata = reason_of(error)
        self.status = code.name
        self.as_json = as_json
        exit_code = REFUSED
        message = said
        if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED) and not self.reason:
            # An answer with a reason comes from Delphis and speaks about an array; this one is about the server.
            exit_code = UNREACHABLE
            late = code is grpc.StatusCode.DEADLINE_EXCEEDED
            what = "did not answer in time" if late else f"can't be reached ({said})"
            message = f"{server} {what}; is a Delphis server running there? `--server HOST:PORT` names another"
        elif code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            exit_code = NOT_PERMITTED
            message = f"{said.rstrip('.')}; give a token with --token-file, or in DELPHIS_TOKEN"
        elif code is grpc.StatusCode.UNIMPLEMENTED and not self.reason:
            message = f"{server} does not know this call; it may be older than this command ({said})"
        super().__init__(message)
        vars(self)["exit_code"] = exit_code  # click declares it for the class, and reads it from the exception

    def show(self, file: IO[Any] | None = None) -> None:
        if self.as_json:
            error = {"status": self.status, "reason": self.reason, "message": self.message, "metadata": self.metadata}
            click.echo(json.dumps({"error": error}, ensure_ascii=False), err=True)
        else:
            click.echo(f"error: {self.message}" + (f" ({self.reason})" if self.reason else ""), err=True)
