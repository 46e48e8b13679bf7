"""Becomes a driver host as the core's launcher does. Standard library only: run as `python -I -S launching.py …`.

    launching.py exec PARENT_PID MEMORY_BYTES OPEN_FILES -- PROGRAM ARGUMENT…
    launching.py parent MEMORY_BYTES OPEN_FILES KEPT_FD -- PROGRAM ARGUMENT…

`exec` becomes the program, which dies with its parent. `parent` starts it so, writes its process id to standard
output, and waits to be killed: it stands for a core that dies.
"""

import ctypes
import os
import resource
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1


def become(parent: int, memory: int, open_files: int, command: list[str]) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        fail(f"no signal at the parent's death: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        os._exit(1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, wanted in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_NOFILE, open_files)):
        _, hard = resource.getrlimit(kind)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (most, most))
    try:
        os.execvp(command[0], command)
    except OSError as error:
        fail(f"can't run {command[0]}: {error.strerror}")


def stand_in(memory: str, open_files: str, kept: int, command: list[str]) -> None:
    own = [sys.executable, "-I", "-S", __file__, "exec", str(os.getpid()), memory, open_files, "--", *command]
    child = subprocess.Popen(own, stdout=2, stdin=subprocess.DEVNULL, pass_fds=(kept,), start_new_session=True)
    os.close(kept)
    os.write(1, f"{child.pid}\n".encode())
    while True:
        signal.pause()


def fail(problem: str) -> None:
    os.write(2, f"delphis-driver: {problem}\n".encode(errors="backslashreplace"))
    os._exit(127)


def main() -> None:
    divider = sys.argv.index("--")
    mode, *numbers = sys.argv[1:divider]
    command = sys.argv[divider + 1 :]
    if mode == "exec":
        become(int(numbers[0]), int(numbers[1]), int(numbers[2]), command)
    else:
        stand_in(numbers[0], numbers[1], int(numbers[2]), command)


if __name__ == "__main__":
    main()
