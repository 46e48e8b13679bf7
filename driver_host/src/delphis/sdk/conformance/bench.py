"""The driver on the test bench: its host, what was asked of it, and what it said."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Generator, Iterator, Mapping
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import DecodeError, Message

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.sdk.conformance.array import Array
from delphis.sdk.conformance.catalogue import NotRun
from delphis.sdk.conformance.errors import UsageError
from delphis.sdk.conformance.leaks import Leaks
from delphis.sdk.conformance.listing import Listing, resource_methods
from delphis.sdk.conformance.subject import Subject
from delphis.sdk.conformance.traps import GivenTrap
from delphis.sdk.host.contract import Method, methods
from delphis.sdk.testing.client import HostClient, Reply
from delphis.sdk.testing.family import FamilyWatch
from delphis.sdk.testing.host_process import HostEnded, HostProcess
from delphis.type.v1.access_pb2 import AccessInfo
from delphis.type.v1.storage_pb2 import Storage

START_TIMEOUT = 20.0
MOST_DEATHS = 6
# Methods that change what is on the array.
CHANGING = frozenset({"AddTrapConfig", "RemoveTrapConfig", "ClearAlert"})


class Seen(NamedTuple):
    """A call that failed."""

    check: str
    reply: Reply
    provoked: bool
    """The request was no proper one."""


class Death(NamedTuple):
    """The end of a host that nobody asked for."""

    check: str
    rpc: str
    how: str
    tail: list[str]


class Bench:
    """One run of the kit."""

    def __init__(self, subject: Subject, array: Array, traps: list[GivenTrap], timeout: float) -> None:
        """
        Args:
            subject: The driver.
            array: The array that it is checked against.
            traps: What ParseAlert is given.
            timeout: Seconds that a call may take.
        """
        self.subject = subject
        self.array = array
        self.traps = traps
        self.timeout = timeout
        self.leaks = Leaks()
        self.failures: list[Seen] = []
        self.deaths: list[Death] = []
        self.masked: set[str] = set()
        """Answers that hold the mask of a secret."""
        self.check = ""
        """The check that runs."""
        self.start_problem = ""
        self.host: HostProcess | None = None
        self._client: HostClient | None = None
        self._watch: FamilyWatch | None = None
        self._provoking = False
        self._stack = contextlib.ExitStack()
        self._second: tuple[HostProcess, HostClient] | None = None
        self._storages: dict[str, str] = {}
        self._listings: dict[tuple[str, int], Listing] = {}
        self._cache: dict[str, Any] = {}

    # ---- The host ----

    def open(self) -> None:
        """Starts the host, or connects to it. What goes wrong is kept in `start_problem`."""
        if self.subject.command:
            self._start()
        else:
            try:
                self._client = HostClient(self.subject.endpoint, self.subject.tls, self._note)
            except OSError as error:
                raise UsageError(f"{error.filename} can't be read: {error.strerror}.") from None
            if not _poll(self._client, START_TIMEOUT / 4):
                self.start_problem = f"Nobody serves at {self.subject.endpoint}, or it is not healthy"

    def _start(self) -> None:
        self.host = self.subject.start(self._line)
        self._client = HostClient(self.host.endpoint, on_reply=self._note)
        self._watch = FamilyWatch(self.host.pid)
        try:
            self.host.become_ready(self._client.serves, START_TIMEOUT)
        except HostEnded as error:
            state = f"grpc.health.v1 says {self._client.health('', 1.0)}. " if self.host.alive else ""
            self.start_problem = state + str(error)

    def _stop(self) -> None:
        if self._client is not None:
            self._client.close()
        if self._watch is not None:
            self._watch.stop()
            self.look_at_family()
        if self.host is not None:
            self.host.close()
        self._client = self._watch = self.host = None

    def close(self) -> None:
        """Ends the hosts."""
        self._stack.close()
        self._stop()

    @property
    def client(self) -> HostClient:
        """The connection; to a new host where the last has died. NotRun where there is none."""
        if self.host is not None and not self.start_problem and not self.host.alive:
            self._died("between two calls")
            self._stop()
            if len(self.deaths) >= MOST_DEATHS:
                self.start_problem = f"the host died {len(self.deaths)} times"
            else:
                self._start()
        if self.start_problem or self._client is None:
            raise NotRun("there is no host to ask: see service.ready and process.survives")
        return self._client

    def _died(self, rpc: str) -> None:
        assert self.host is not None
        if self.deaths and self.deaths[-1].how.endswith(f"(process {self.host.pid})"):
            return
        self.host.output.finish(1.0)
        how = f"{self.host.how_it_ended} (process {self.host.pid})"
        self.deaths.append(Death(self.check, rpc, how, self.host.output.tail(6)))

    @property
    def started_host(self) -> HostProcess:
        """The host's process. NotRun where somebody else started it."""
        self.must_start_hosts()
        _ = self.client
        assert self.host is not None
        return self.host

    def must_start_hosts(self) -> None:
        """NotRun where somebody else started the host."""
        if not self.subject.command:
            raise NotRun("it needs a host that the kit starts itself: use --exec, or a folder or file")

    def look_at_family(self) -> None:
        """Looks for secrets in the command lines and environments seen so far."""
        if self._watch is not None:
            for what, text in set(self._watch.seen):
                self.leaks.look(text, what, f"the {what}")

    @contextlib.contextmanager
    def another_host(
        self, *, drain: float = 10.0, under_parent: bool = False
    ) -> Generator[tuple[HostProcess, HostClient], None, None]:
        """A host of its own for a check that ends it. NotRun where the kit can't start one."""
        self.must_start_hosts()
        with self.subject.start(self._line, drain=drain, under_parent=under_parent) as host:
            client = HostClient(host.endpoint, on_reply=self.leaks.look_at)
            try:
                host.become_ready(client.serves, START_TIMEOUT)
                yield host, client
            except HostEnded as error:
                raise NotRun(f"another host could not be started: {error}") from None
            finally:
                client.close()

    def host_under_parent(self) -> tuple[HostProcess, HostClient]:
        """A second host, whose parent can be killed; the same for all checks until it has ended."""
        if self._second is None or not self._second[0].alive:
            self._second = self._stack.enter_context(self.another_host(under_parent=True))
        return self._second

    def _line(self, line: bytes) -> None:
        self.leaks.look(line, "log", line.decode("utf-8", "backslashreplace")[:24] + "…")

    def _note(self, reply: Reply) -> None:
        self.leaks.look_at(reply)
        if any(b"***" in payload for payload in reply.payloads) or "***" in reply.message:
            self.masked.add(reply.rpc)
        if not reply.ok and not reply.rpc.startswith("/"):
            self.failures.append(Seen(self.check, reply, self._provoking))
            if reply.code == grpc.StatusCode.UNAVAILABLE and not reply.detailed and self.host is not None:
                self.host.wait(1.0)
                if not self.host.alive:
                    self._died(reply.rpc)

    @contextlib.contextmanager
    def provoking(self) -> Iterator[None]:
        """Calls in this block are such as no proper caller makes: a gRPC library may answer them by itself."""
        self._provoking = True
        try:
            yield
        finally:
            self._provoking = False

    # ---- Calls ----

    def storage_id(self, name: str) -> str:
        """An id for an array, the same for the same name."""
        return self._storages.setdefault(name, str(uuid.uuid4()))

    def target(
        self,
        name: str = "array",
        access: AccessInfo | None = None,
        *,
        revision: int = 1,
        epoch: int = 0,
    ) -> pb.Target:
        """The target of a call: the array, under the id that belongs to the name."""
        found = access if access is not None else self.array.access
        storage_id = self.storage_id(name)
        target = pb.Target(storage_id=storage_id, access_info=found, access_revision=revision, owner_epoch=epoch)
        target.access_info.storage_id, target.access_info.revision = storage_id, revision
        if self.info.serves:
            target.access_info.vendor = self.info.serves[0].vendor
            target.access_info.model = self.info.serves[0].model
        return target

    def request(self, rpc: str, target: pb.Target | None = None, **fields: Any) -> Message:
        """A proper request."""
        return methods()[rpc].request(target=target if target is not None else self.target(), **fields)

    def call(
        self,
        rpc: str,
        request: Message | bytes | None = None,
        *,
        target: pb.Target | None = None,
        timeout: float | None = None,
    ) -> Reply:
        """Makes a call of the driver."""
        data = request if request is not None else self.request(rpc, target)
        return self.client.call(rpc, data, timeout if timeout is not None else self.timeout)

    def answer(self, reply: Reply) -> Any:
        """The message of a call that succeeded. NotRun where it is none: see identity.decodes."""
        try:
            return methods()[reply.rpc].response.FromString(b"".join(reply.payloads[:1]))
        except DecodeError:
            raise NotRun(f"{reply.rpc} answers what is no message of the contract") from None

    def stuck_calls(self, patience: float) -> int:
        """Calls whose threads have not come back from the driver, after so many seconds of waiting for them."""
        end = time.monotonic() + patience
        while True:
            stuck: int = self.answer(self.call("GetDriverInfo", b"")).stuck_calls
            if not stuck or time.monotonic() > end:
                return stuck
            time.sleep(0.05)

    # ---- What the driver says ----

    @property
    def info(self) -> pb.GetDriverInfoResponse:
        """Who the driver is. NotRun where it doesn't say so."""
        if "info" not in self._cache:
            reply = self.call("GetDriverInfo", b"")
            if not reply.ok:
                raise NotRun("GetDriverInfo was not answered: see identity.answers")
            self._cache["info"] = self.answer(reply)
            plain = {f.path.removeprefix("extra_attributes.") for f in self._cache["info"].access_fields if f.plain}
            self.leaks.hold(self.array, plain)
        info: pb.GetDriverInfoResponse = self._cache["info"]
        return info

    @property
    def announced(self) -> frozenset[str]:
        """The methods that the driver has. NotRun where its code could not be loaded."""
        if self.info.load_error:
            raise NotRun("the driver's code can't be loaded: see identity.loads")
        return frozenset(self.info.rpcs)

    def needs(self, *rpcs: str) -> None:
        """NotRun unless the driver announces these methods."""
        for rpc in rpcs:
            if rpc not in self.announced:
                raise NotRun(f"the driver doesn't announce {rpc}")

    @property
    def storage_reply(self) -> Reply:
        """How GetStorage ended."""
        if "storage" not in self._cache:
            _ = self.announced
            self._cache["storage"] = self.call("GetStorage")
        reply: Reply = self._cache["storage"]
        return reply

    @property
    def storage(self) -> Storage:
        """What the array says of itself. NotRun where it can't be reached."""
        reply = self.storage_reply
        if not reply.ok:
            raise NotRun("the array can't be read: see storage.read")
        storage: Storage = self.answer(reply).storage
        return storage

    @property
    def capabilities(self) -> Any:
        """What the array can do; None where the driver has no GetCapabilities."""
        if "capabilities" not in self._cache:
            if "GetCapabilities" not in self.announced:
                return None
            reply = self.call("GetCapabilities")
            self._cache["capabilities"] = self.answer(reply).capabilities if reply.ok else None
        return self._cache["capabilities"]

    def list_methods(self) -> list[Method]:
        """The methods that list resources of this array."""
        kinds = set(self.capabilities.kinds) if self.capabilities is not None else set[str]()
        found = [
            method
            for kind, method in resource_methods().items()
            if method.name in self.announced and (not kinds or kind in kinds)
        ]
        if not found:
            raise NotRun("the driver announces no lists")
        return found

    def listing(self, method: Method, number: int = 0) -> Listing:
        """What a method listed; the same number gives the same answer."""
        key = (method.name, number)
        if key not in self._listings:
            self._listings[key] = self.list_now(method)
        return self._listings[key]

    def list_now(self, method: Method | str, target: pb.Target | None = None, **fields: Any) -> Listing:
        """Lists anew: `list_now("ListVolumes")`."""
        method = methods()[method] if isinstance(method, str) else method
        reply = self.call(method.name, self.request(method.name, target, **fields))
        listing = Listing(method, reply)
        with contextlib.suppress(DecodeError):
            listing.messages.extend(method.response.FromString(payload) for payload in reply.payloads)
        return listing

    def lists(self) -> list[Listing]:
        """The lists that could be read. NotRun where there are none."""
        _ = self.storage
        found = [listing for method in self.list_methods() if (listing := self.listing(method)).reply.ok]
        if not found:
            raise NotRun("no list could be read: see lists.read")
        return found

    def known_ids(self) -> Mapping[str, frozenset[str]]:
        """The native ids of each kind that could be read."""
        return {listing.kind: frozenset(listing.native_ids) for listing in self.lists()}


def _poll(client: HostClient, timeout: float) -> bool:
    end = time.monotonic() + timeout
    while not client.serves(1.0):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
