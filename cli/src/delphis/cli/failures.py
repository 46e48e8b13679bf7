"""What goes wrong, told to people, scripts and shells."""

from __future__ import annotations

import json
from typing import IO, TYPE_CHECKING, Any, cast

import click

from delphis.cli.hints import hint_for
from delphis.cli.texts import printable

if TYPE_CHECKING:
    import grpc

REFUSED = 1
USAGE = 2
UNREACHABLE = 3
NOT_PERMITTED = 4
NOT_FOUND = 5
DIFFERENT = 6
INTERRUPTED = 130

EXIT_CODES = {
    0: "done",
    REFUSED: "the server refused, or what was asked for failed",
    USAGE: "the command line, a context or a file given to the command is wrong; nothing was sent",
    UNREACHABLE: "the server could not be reached, or did not answer in time",
    NOT_PERMITTED: "the server wants a token, or the token may not do this",
    NOT_FOUND: "what the command is about does not exist",
    DIFFERENT: "`diff` found differences",
    INTERRUPTED: "stopped by Ctrl-C",
}

_DETAILS_KEY = "grpc-status-details-bin"

Trailers = tuple[tuple[str, str | bytes], ...] | None


class Failure(click.ClickException):
    """An error that a command ends with: what happened, to what, and what to do."""

    def __init__(
        self, message: str, *, code: int = REFUSED, hint: str = "", reason: str = "", status: str = ""
    ) -> None:
        super().__init__(message)
        vars(self)["exit_code"] = code  # click declares it for the class, and reads it from the exception
        self.hint = hint
        self.reason = reason
        self.status = status
        self.metadata: dict[str, str] = {}
        self.as_json = False

    def show(self, file: IO[Any] | None = None) -> None:
        """Prints it to standard error."""
        if self.as_json:
            said = {"status": self.status, "reason": self.reason, "message": self.message, "metadata": self.metadata}
            if self.hint:
                said["hint"] = self.hint
            click.echo(json.dumps({"error": said}), err=True)
            return
        click.echo("error: " + printable(self.message) + (f" ({self.reason})" if self.reason else ""), err=True)
        if self.hint:
            click.echo(f"  try: {printable(self.hint)}", err=True)


class WrongSettings(Failure):
    """The command line, a context or a file is wrong."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, code=USAGE, hint=hint)


class Missing(Failure):
    """Nothing is named so."""

    def __init__(self, message: str, *, hint: str = "", reason: str = "") -> None:
        super().__init__(message, code=NOT_FOUND, hint=hint, reason=reason)


class CallFailed(Failure):
    """The server answered with an error, or did not answer."""

    def __init__(self, error: grpc.RpcError, *, server: str, as_json: bool) -> None:
        import grpc

        call = cast("grpc.Call", error)  # what a failed call raises is the call itself; the types do not say so
        code = call.code()
        said = call.details() or "no further word"
        reason, metadata = reason_of(error)
        exit_code, message, hint = REFUSED, said, hint_for(reason, metadata)
        if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED) and not reason:
            # An answer with a reason comes from Delphis and speaks about an array; this one is about the server.
            exit_code = UNREACHABLE
            late = code is grpc.StatusCode.DEADLINE_EXCEEDED
            what = "did not answer in time" if late else f"can't be reached ({said})"
            message = f"{server} {what}; is a Delphis server running there? `--server HOST:PORT` names another"
        elif code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            exit_code = NOT_PERMITTED
            message = f"{said.rstrip('.')}; give a token with --token-file, in DELPHIS_TOKEN or in a context"
        elif code is grpc.StatusCode.NOT_FOUND:
            exit_code = NOT_FOUND
        elif code is grpc.StatusCode.UNIMPLEMENTED and not reason:
            message = f"{server} does not know this call; it may be older than this command ({said})"
        super().__init__(message, code=exit_code, hint=hint, reason=reason, status=code.name)
        self.metadata = metadata
        self.as_json = as_json

    @property
    def server_is_away(self) -> bool:
        """Whether nobody answered; a later try may succeed."""
        return bool(self.exit_code == UNREACHABLE)


def reason_of(error: grpc.RpcError) -> tuple[str, dict[str, str]]:
    """Reason and metadata of the answer's google.rpc.ErrorInfo; ("", {}) if it has none."""
    from google.protobuf.message import DecodeError
    from google.rpc import error_details_pb2, status_pb2

    for key, value in cast("Trailers", cast("grpc.Call", error).trailing_metadata()) or ():
        if key != _DETAILS_KEY or not isinstance(value, bytes):
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
