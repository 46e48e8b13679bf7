"""A server that answers like a small Delphis, a real one, and the command line run as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from delphis.driver.v1 import storage_driver_pb2
from delphis.inventory.v1 import inventory_pb2, inventory_pb2_grpc, job_pb2, job_pb2_grpc
from delphis.registry.v1 import registry_pb2, registry_pb2_grpc
from delphis.type.v1 import storage_pb2
from tests.support.up import Up, core_alone

TOKEN = "token-sentinel-4711"
COMMAND = Path(sys.executable).with_name("delphis")


@dataclass
class Server:
    """What the fake server was asked, and what it shall answer."""

    address: str = ""
    wants_token: bool = False
    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    storages: list[storage_pb2.Storage] = field(default_factory=list)
    jobs: list[job_pb2.Job] = field(default_factory=list)
    looks_until_done: int = 2
    already_syncing: str = ""
    page: int = 2

    def note(self, request: Any, context: grpc.ServicerContext) -> None:
        metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        self.requests.append(request)
        self.metadata.append(metadata)
        if self.wants_token and metadata.get("authorization") != f"Bearer {TOKEN}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "No such token.")


def refuse(
    context: grpc.ServicerContext, code: grpc.StatusCode, reason: str, message: str, **metadata: str
) -> NoReturn:
    number = code_pb2.Code.Value(code.name)
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="delphis.dev", metadata=metadata))
    status = status_pb2.Status(code=number, message=message, details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, message)
    raise AssertionError("abort raises")


class Inventory(inventory_pb2_grpc.InventoryServiceServicer):
    def __init__(self, server: Server) -> None:
        self.server = server

    def RegisterStorage(self, request: Any, context: Any) -> storage_pb2.Storage:
        self.server.note(request, context)
        if request.rest.password == "wrong":
            refuse(
                context,
                grpc.StatusCode.FAILED_PRECONDITION,
                "INVALID_USERNAME_OR_PASSWORD",
                "array 10.0.0.1 refused user admin",
                host="10.0.0.1",
            )
        return storage_pb2.Storage(
            id="11111111-2222-3333-4444-555555555555",
            name="box",
            display_name=request.storage_name,
            vendor=request.vendor,
            model=request.model,
            sync_status=storage_pb2.SYNC_STATUS_SYNCING,
        )

    def GetStorage(self, request: Any, context: Any) -> storage_pb2.Storage:
        self.server.note(request, context)
        for storage in self.server.storages:
            if storage.id == request.storage_id:
                return storage
        refuse(context, grpc.StatusCode.NOT_FOUND, "STORAGE_NOT_FOUND", f"no storage has the id {request.storage_id}")

    def ListStorages(self, request: Any, context: Any) -> inventory_pb2.ListStoragesResponse:
        self.server.note(request, context)
        start = int(request.page_token or 0)
        end = start + self.server.page
        more = end < len(self.server.storages)
        page = self.server.storages[start:end]
        return inventory_pb2.ListStoragesResponse(storages=page, next_page_token=str(end) if more else "")

    def DeleteStorage(self, request: Any, context: Any) -> inventory_pb2.DeleteStorageResponse:
        self.server.note(request, context)
        return inventory_pb2.DeleteStorageResponse(job_id="job-9")

    def SyncStorage(self, request: Any, context: Any) -> inventory_pb2.SyncStorageResponse:
        self.server.note(request, context)
        if self.server.already_syncing:
            refuse(
                context,
                grpc.StatusCode.FAILED_PRECONDITION,
                "STORAGE_IS_SYNCING",
                "a sync runs",
                job_id=self.server.already_syncing,
            )
        return inventory_pb2.SyncStorageResponse(job_id="job-1")

    def SyncStorages(self, request: Any, context: Any) -> inventory_pb2.SyncStoragesResponse:
        self.server.note(request, context)
        return inventory_pb2.SyncStoragesResponse(batch_id="batch-1", started=len(self.server.jobs), skipped=1)

    def GetSyncState(self, request: Any, context: Any) -> inventory_pb2.SyncState:
        self.server.note(request, context)
        kind = job_pb2.KindState(kind="volume", outcome=job_pb2.KIND_OUTCOME_OK, total=7)
        return inventory_pb2.SyncState(storage_id=request.storage_id, kinds=[kind])


class Jobs(job_pb2_grpc.JobServiceServicer):
    def __init__(self, server: Server) -> None:
        self.server = server

    def _look(self, job: job_pb2.Job) -> job_pb2.Job:
        self.server.looks_until_done -= 1
        seen = job_pb2.Job()
        seen.CopyFrom(job)
        if self.server.looks_until_done > 0:
            seen.state = job_pb2.JOB_STATE_RUNNING
        return seen

    def GetJob(self, request: Any, context: Any) -> job_pb2.Job:
        self.server.note(request, context)
        for job in self.server.jobs:
            if job.job_id == request.job_id:
                return self._look(job)
        refuse(context, grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND", f"no job has the id {request.job_id}")

    def ListJobs(self, request: Any, context: Any) -> job_pb2.ListJobsResponse:
        self.server.note(request, context)
        return job_pb2.ListJobsResponse(jobs=[self._look(job) for job in self.server.jobs])


class Registry(registry_pb2_grpc.RegistryServiceServicer):
    def __init__(self, server: Server) -> None:
        self.server = server

    def ListDrivers(self, request: Any, context: Any) -> registry_pb2.ListDriversResponse:
        self.server.note(request, context)
        box = registry_pb2.Driver(
            name="dev.acme.box",
            version="1.2",
            source=registry_pb2.DRIVER_SOURCE_MANIFEST,
            state=registry_pb2.DRIVER_STATE_SERVING,
            serves=[registry_pb2.ServedPair(vendor="acme", model="box", conflicts_with=["dev.other"], in_use=True)],
            hosts=[registry_pb2.DriverHost(state=registry_pb2.HOST_STATE_SERVING, pid=7)],
        )
        broken = registry_pb2.Driver(
            name="dev.acme.old",
            state=registry_pb2.DRIVER_STATE_LOAD_FAILED,
            error='no module named pyacme\nTraceback (most recent call last):\n  File "box.py"\x1b[0m',
        )
        return registry_pb2.ListDriversResponse(drivers=[box, broken])

    def RestartDriver(self, request: Any, context: Any) -> registry_pb2.Driver:
        self.server.note(request, context)
        field = storage_driver_pb2.AccessField(
            path="extra_attributes.pod", required=True, default_value="a", description="The pod to look at."
        )
        return registry_pb2.Driver(name=request.name, state=registry_pb2.DRIVER_STATE_SERVING, access_fields=[field])


@pytest.fixture
def server() -> Iterator[Server]:
    fake = Server()
    listening = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    # A servicer that leaves out methods answers UNIMPLEMENTED for them, as an older server would.
    inventory_pb2_grpc.add_InventoryServiceServicer_to_server(Inventory(fake), listening)  # type: ignore[abstract]
    job_pb2_grpc.add_JobServiceServicer_to_server(Jobs(fake), listening)  # type: ignore[abstract]
    registry_pb2_grpc.add_RegistryServiceServicer_to_server(Registry(fake), listening)  # type: ignore[abstract]
    port = listening.add_insecure_port("127.0.0.1:0")
    fake.address = f"127.0.0.1:{port}"
    listening.start()
    yield fake
    listening.stop(None).wait()


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


def delphis(*arguments: str, stdin: str | None = "", **environment: str) -> Answer:
    done = subprocess.run(
        [COMMAND, *arguments],
        input=stdin,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


# Starting Python costs more than most commands: one process runs many of them, each as `main` would be called.
_MANY = """
import contextlib, io, json, os, sys
from delphis.cli.main import main
lines, answers = sys.stdin, sys.stdout

class Given(io.BytesIO):
    name = "<stdin>"

for line in lines:
    arguments, given, environment = json.loads(line)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin = io.TextIOWrapper(Given(given.encode()), encoding="utf-8")
    out, err, code = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8"), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as ending:
            code = ending.code
    said = []
    for stream in (out, err):
        stream.flush()
        said.append(stream.buffer.getvalue().decode())
    print(json.dumps([code, *said]), file=answers, flush=True)
"""


class Runner:
    """A process that runs commands."""

    process: subprocess.Popen[str] | None = None

    def run(self, arguments: tuple[str, ...], stdin: str, environment: dict[str, str]) -> Answer:
        if self.process is None:
            command = [sys.executable, "-W", "error", "-c", _MANY]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([arguments, stdin, {**os.environ, **environment}]) + "\n")
        self.process.stdin.flush()
        return Answer(*json.loads(self.process.stdout.readline()))

    def stop(self) -> None:
        if self.process is not None:
            self.process.communicate()
            self.process = None


_RUNNER = Runner()


@pytest.fixture(scope="module", autouse=True)
def _runner() -> Iterator[None]:
    yield
    _RUNNER.stop()


def quick(*arguments: str, stdin: str = "", **environment: str) -> Answer:
    """As `delphis`, without a process of its own."""
    return _RUNNER.run(arguments, stdin, environment)


def delphis_many(*commands: list[str], **environment: str) -> list[Answer]:
    """The answers of several commands."""
    return [quick(*command, **environment) for command in commands]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A real Delphis that the tests of a module share."""
    with core_alone(tmp_path_factory.mktemp("delphis")) as started:
        yield started


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's contexts are kept."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "delphis" / "contexts.json"
