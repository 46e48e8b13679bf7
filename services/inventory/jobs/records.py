"""Jobs in the store. All functions run inside a transaction of the caller's."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import and_, bindparam, delete, insert, or_, select, update

from delphis.inventory.v1 import job_pb2
from services.calls.errors import CallError
from services.inventory.schema.jobs import jobs
from services.store.connection import Connection, Row
from services.store.presence import NOBODY, is_gone
from services.store.statement import statement
from services.values import times, uuids

WAITING = job_pb2.JOB_STATE_WAITING
RUNNING = job_pb2.JOB_STATE_RUNNING
SUCCEEDED = job_pb2.JOB_STATE_SUCCEEDED
PARTIAL = job_pb2.JOB_STATE_PARTIAL
FAILED = job_pb2.JOB_STATE_FAILED
CANCELLED = job_pb2.JOB_STATE_CANCELLED
OPEN = (WAITING, RUNNING)  # neighbours, which makes them a range in SQL
"""States of a job that has not ended."""
SYNC = job_pb2.JOB_TYPE_SYNC
REMOVAL = job_pb2.JOB_TYPE_REMOVAL

HANDED_OVER = "jobs-handed-over"
"""The topic that is signalled when a core left a job to another one."""
MOST_DEATHS = 10
"""A job that was running at so many ends of cores is suspected of having caused them."""
MOST_JOBS = 200_000
"""So many are kept at most: a thousand arrays every 15 minutes make half of that in a day."""


class Job(NamedTuple):
    """A job as stored. Times are microseconds since 1970, 0: not yet."""

    id: bytes
    type: int
    state: int
    storage_no: int
    storage_id: bytes
    batch_id: bytes = b""
    attempt: int = 0
    created_at: int = 0
    started_at: int = 0
    ended_at: int = 0
    requested_by: str = ""
    error_code: str = ""
    error_msg: str = ""
    kinds: bytes = b""
    deaths: int = 0
    owner: int = 0


COLUMNS = tuple(jobs.c[name] for name in Job._fields)
_INSERT = statement(insert(jobs).values({name: bindparam(name) for name in Job._fields}))
_GET = statement(select(*COLUMNS).where(jobs.c.id == bindparam("id")))
_OPEN = statement(select(*COLUMNS).where(jobs.c.state.between(*OPEN)).order_by(jobs.c.created_at))
_OPEN_OF = statement(
    select(*COLUMNS)
    .where(jobs.c.storage_no == bindparam("no"), jobs.c.state.between(*OPEN), jobs.c.type == bindparam("type"))
    .order_by(jobs.c.created_at.desc())
    .limit(1)
)
_LAST_OF = statement(
    select(*COLUMNS)
    .where(jobs.c.storage_no == bindparam("no"), jobs.c.type == SYNC)
    .order_by(jobs.c.created_at.desc())
    .limit(1)
)
_BEGIN = statement(
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"))
    .where(
        or_(
            jobs.c.state == WAITING,
            and_(jobs.c.state == RUNNING, jobs.c.attempt == bindparam("known_attempt")),
        )
    )
    .values(state=RUNNING, attempt=jobs.c.attempt + 1, started_at=bindparam("now"), owner=bindparam("process"))
)
_END = statement(
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"), jobs.c.attempt == bindparam("as_attempt"), jobs.c.state == RUNNING)
    .values(
        state=bindparam("new_state"),
        ended_at=bindparam("now"),
        error_code=bindparam("error_code"),
        error_msg=bindparam("error_msg"),
        kinds=bindparam("kinds"),
    )
)
_CANCEL = statement(
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"), jobs.c.state.between(*OPEN))
    .values(state=CANCELLED, ended_at=bindparam("now"), error_msg=bindparam("why"), kinds=bindparam("kinds"))
)
_FAIL = statement(
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"), jobs.c.attempt == bindparam("as_attempt"), jobs.c.state.between(*OPEN))
    .values(state=FAILED, ended_at=bindparam("now"), error_code=bindparam("code"), error_msg=bindparam("why"))
)
_ADOPT = statement(
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"), jobs.c.owner == bindparam("before"), jobs.c.state.between(*OPEN))
    .values(state=WAITING, owner=bindparam("process"), deaths=bindparam("new_deaths"))
)
_RELEASE = statement(
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"), jobs.c.owner == bindparam("process"), jobs.c.state.between(*OPEN))
    .values(state=WAITING, owner=NOBODY)
)
_HAND_OVER = statement(
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"), jobs.c.attempt == bindparam("as_attempt"), jobs.c.state == RUNNING)
    .values(state=WAITING, owner=bindparam("process"))
)
_HOLDS = statement(
    select(jobs.c.id).where(
        jobs.c.id == bindparam("id"), jobs.c.attempt == bindparam("attempt"), jobs.c.state == RUNNING
    )
)
_SURPLUS = statement(select(jobs.c.created_at).order_by(jobs.c.created_at.desc()).limit(1).offset(bindparam("most")))
_DELETE = delete(jobs).where(~jobs.c.state.between(*OPEN))
_OLDEST = select(jobs.c.id).order_by(jobs.c.created_at).limit(1000)
_PRUNE_OLD = statement(
    _DELETE.where(
        jobs.c.ended_at < bindparam("before"), jobs.c.id.in_(_OLDEST.where(jobs.c.created_at < bindparam("before")))
    )
)
_PRUNE_SURPLUS = statement(_DELETE.where(jobs.c.id.in_(_OLDEST.where(jobs.c.created_at <= bindparam("until")))))


class Superseded(Exception):
    """The job was cancelled, or began anew elsewhere: what this attempt would write must not be written."""


def new_id() -> bytes:
    """A UUID (version 7) that sorts by the time it was made, to the microsecond."""
    millis, micros = divmod(times.now(), 1000)
    noise = int.from_bytes(secrets.token_bytes(8), "big") >> 2
    number = millis << 80 | 0x7 << 76 | (micros * 4096 // 1000) << 64 | 0b10 << 62 | noise
    return number.to_bytes(16, "big")


def of_row(row: Row) -> Job:
    """The job in a row of `COLUMNS`."""
    return Job._make(row)


def add(
    connection: Connection, type_: int, storage_no: int, storage_id: bytes, requested_by: str, batch: bytes = b""
) -> Job:
    """Stores a new waiting job."""
    job = Job(
        new_id(),
        type_,
        WAITING,
        storage_no,
        storage_id,
        batch,
        created_at=times.now(),
        requested_by=requested_by[:255],
        owner=connection.process,
    )
    connection.run(_INSERT, job._asdict())
    return job


def get(connection: Connection, job_id: bytes) -> Job | None:
    """One job."""
    row = connection.one(_GET, {"id": job_id})
    return of_row(row) if row is not None else None


def open_jobs(connection: Connection) -> list[Job]:
    """All that wait or run, oldest first."""
    return [of_row(row) for row in connection.all(_OPEN)]


def open_job_of(connection: Connection, storage_no: int, type_: int = SYNC) -> Job | None:
    """The storage's job that waits or runs."""
    row = connection.one(_OPEN_OF, {"no": storage_no, "type": type_})
    return of_row(row) if row is not None else None


def last_sync_of(connection: Connection, storage_no: int) -> Job | None:
    """The storage's newest sync."""
    row = connection.one(_LAST_OF, {"no": storage_no})
    return of_row(row) if row is not None else None


def begin(connection: Connection, *, job_id: bytes, known_attempt: int = 0) -> Job | None:
    """Starts a waiting job, or one whose last attempt was the caller's, with a new attempt number. None: it is over."""
    parameters = {"job_id": job_id, "known_attempt": known_attempt, "now": times.now(), "process": connection.process}
    if not connection.run(_BEGIN, parameters):
        return None
    return get(connection, job_id)


def check(connection: Connection, job: Job) -> None:
    """Superseded where the job no longer runs with this attempt. For every transaction that writes for it."""
    if connection.one(_HOLDS, {"id": job.id, "attempt": job.attempt}) is None:
        raise Superseded


def end(connection: Connection, job: Job, state: int, *, code: str = "", message: str = "", kinds: bytes = b"") -> Job:
    """Ends the running attempt; Superseded where it runs no more."""
    ended = job._replace(state=state, ended_at=times.now(), error_code=code, error_msg=message, kinds=kinds)
    parameters = {
        "job_id": job.id,
        "as_attempt": job.attempt,
        "new_state": state,
        "now": ended.ended_at,
        "error_code": code,
        "error_msg": message,
        "kinds": kinds,
    }
    if not connection.run(_END, parameters):
        raise Superseded
    return ended


def cancel(connection: Connection, job_id: bytes, why: str, kinds: bytes = b"") -> bool:
    """Stops a job that waits or runs; False where it had ended."""
    return connection.run(_CANCEL, {"job_id": job_id, "now": times.now(), "why": why, "kinds": kinds}) > 0


def fail(connection: Connection, job: Job, why: str) -> bool:
    """Ends a job that waits or runs with this attempt by a fault of Delphis; False where it had ended."""
    values = {"code": "InternalError", "why": why[:1000], "job_id": job.id, "as_attempt": job.attempt}
    return connection.run(_FAIL, {**values, "now": times.now()}) > 0


def adopt(connection: Connection, type_: int) -> list[Job]:
    """Takes over the open jobs of cores that have ended: they wait again. What ran meanwhile has a death more."""
    adopted: list[Job] = []
    gone: dict[int, bool] = {}
    for job in open_jobs(connection):
        if job.type != type_:
            continue
        if job.owner not in gone:
            gone[job.owner] = is_gone(connection, job.owner)
        if not gone[job.owner]:
            continue
        deaths = job.deaths + (job.state == RUNNING)
        parameters = {"job_id": job.id, "before": job.owner, "process": connection.process, "new_deaths": deaths}
        if connection.run(_ADOPT, parameters):
            adopted.append(job._replace(state=WAITING, owner=connection.process, deaths=deaths))
    return adopted


def hand_over(connection: Connection, job: Job, process: int) -> None:
    """Leaves a running attempt to another core, for which the job waits then."""
    connection.run(_HAND_OVER, {"job_id": job.id, "as_attempt": job.attempt, "process": process})
    connection.signal(HANDED_OVER)


def waiting_here(connection: Connection, type_: int) -> list[Job]:
    """The jobs that wait for this core, those that another one left to it among them."""
    here = connection.process
    return [job for job in open_jobs(connection) if (job.type, job.state, job.owner) == (type_, WAITING, here)]


def release(connection: Connection, job_ids: Iterable[bytes]) -> None:
    """What waited or ran here when this core was stopped waits for any other, without blame for it."""
    for job_id in job_ids:
        connection.run(_RELEASE, {"job_id": job_id, "process": connection.process})


def prune(connection: Connection, before: int) -> int:
    """Deletes some jobs that ended before the time, or that are too many; the number of them."""
    count = connection.run(_PRUNE_OLD, {"before": before})
    surplus = connection.value(_SURPLUS, {"most": MOST_JOBS})
    if surplus is not None:
        count += connection.run(_PRUNE_SURPLUS, {"until": surplus})
    return count


def not_found(job_id: str) -> CallError:
    """The error that no job has the id."""
    return CallError(
        "JOB_NOT_FOUND",
        f"No job has the id {job_id[:64]}; ended jobs are kept for 7 days. List the jobs.",
        metadata={"job_id": job_id[:64]},
    )


def message(job: Job, kinds: Iterable[job_pb2.KindState] | None = None) -> job_pb2.Job:
    """The job as an answer; `kinds` take the place of the stored ones."""
    answer = job_pb2.Job.FromString(job.kinds)
    if kinds is not None:
        answer.ClearField("kinds")
        answer.kinds.extend(kinds)
    answer.MergeFrom(
        job_pb2.Job(
            job_id=uuids.text(job.id),
            type=job_pb2.JobType.ValueType(job.type),
            state=job_pb2.JobState.ValueType(job.state),
            storage_id=uuids.text(job.storage_id),
            batch_id=uuids.text(job.batch_id),
            attempt=job.attempt,
            created_at=times.stamp(job.created_at),
            started_at=times.stamp(job.started_at),
            ended_at=times.stamp(job.ended_at),
            requested_by=job.requested_by,
            error_code=job.error_code,
            error_msg=job.error_msg,
        )
    )
    return answer
