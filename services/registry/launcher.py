"""Becomes a driver host: the few things that must happen between fork and exec, for a program in any language.

Run as `python -I -S launcher.py PARENT_PID MEMORY_BYTES OPEN_FILES -- PROGRAM ARGUMENT...`, in about 20 ms. A file of
its own that imports the standard library only, since it is no part of the core's process.

A host dies with the core's thread that started it, however that ends: the kernel sends the signal. `exec` keeps this
and the limits. It doesn't keep "not dumpable", so a host that holds secrets sets that itself; no core file is written.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
# Where the machine runs out of memory, a host is ended before the core or the database.
OOM_SCORE = "500"


def fail(problem: str) -> None:
    os.write(2, f"delphis launcher: {problem}\n".encode(errors="backslashreplace"))
    os._exit(127)


def main() -> None:
    parent, memory, open_files = (int(word) for word in sys.argv[1:4])
    command = sys.argv[5:]
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        fail(f"no signal at the core's death: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limits = ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_NOFILE, open_files))
    for kind, wanted in limits:
        _, hard = resource.getrlimit(kind)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (most, most))
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(OOM_SCORE)
    except OSError:  # not everywhere to be had, and no reason not to run
        pass
    try:
        os.execvp(command[0], command)
    except OSError as error:
        fail(f"can't run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
