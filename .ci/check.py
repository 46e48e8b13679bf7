"""`make check`: every rule about the source that a machine can judge. Runs all of them, then says which failed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
WHEELS = ("protos", "driver_host", "cli", "delfin_adapter")
TYPED = (
    *("services", "gateway", "drivers", "driver_host/src", "cli/src", "delfin_adapter/src"),
    *("tests", "benchmarks", "examples", "deploy", ".ci"),
)
GENERATORS = (
    "protos/generate.py",
    "protos/generate_reference.py",
    "protos/generate_metrics.py",
    "cli/generate_reference.py",
)

# Who may not import what of ours. A driver sees only the SDK and the contract; the wheels never see the application.
FORBIDDEN = {
    "drivers": ("services", "gateway", "delphis.cli", "delphis.delfin"),
    "driver_host/src": ("services", "gateway", "drivers", "delphis.cli", "delphis.delfin"),
    "cli/src": ("services", "gateway", "drivers", "delphis.sdk"),
    "delfin_adapter/src": ("services", "gateway", "drivers", "delphis.cli"),
    "services": ("drivers", "delphis.cli", "delphis.delfin"),
    "gateway": ("drivers", "delphis.cli", "delphis.inventory", "delphis.registry", "delphis.auth"),
}
# One command of the application is a client of a core, and takes server, token and output as the others do.
ALLOWED = {"services/importing/command.py": "delphis.cli"}

Complaints = list[str]
Check = Callable[[], Complaints]


def tool(*command: str) -> Check:
    """A check that is a program: its output are the complaints, when it ends with an error."""

    def run() -> Complaints:
        environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]],
            cwd=REPO,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return [] if done.returncode == 0 else [done.stdout.rstrip() or f"ended with {done.returncode}, saying nothing"]

    return run


def tracked(*patterns: str) -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=REPO,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [path for name in listing.stdout.split("\0") if name and (path := REPO / name).is_file()]


def namespace_is_shared() -> Complaints:
    """One delphis/__init__.py would hide the other wheels' part of the package."""
    return [
        f"{path.relative_to(REPO)}: `delphis` is a namespace of several wheels (PEP 420), remove this file"
        for path in tracked("**/__init__.py")
        if path.parent.name == "delphis"
    ]


def locks_name_no_host() -> Complaints:
    """Locked requirements are packages and hashes; where they come from is the installing machine's affair."""
    return [
        f"{path.relative_to(REPO)}:{number}: names a place to download from: {line.strip()}"
        for path in tracked("requirements/*.txt")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if "://" in line or line.lstrip().startswith(("--index", "--extra-index", "--find-links", "-i ", "-f "))
    ] + [
        f"{path.relative_to(REPO)}:{number}: names a place to download from, set omit-lockfile-registry-resolved"
        for path in tracked("examples/*/package-lock.json")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if '"resolved":' in line
    ]


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def layers_hold() -> Complaints:
    complaints: Complaints = []
    for folder, forbidden in FORBIDDEN.items():
        for path in tracked(f"{folder}/*.py"):
            allowed = ALLOWED.get(str(path.relative_to(REPO)))
            for line, name in imported(ast.parse(path.read_text(encoding="utf-8"), str(path))):
                complaints += [
                    f"{path.relative_to(REPO)}:{line}: {folder} must not import {bad}"
                    for bad in forbidden
                    if bad != allowed and (name == bad or name.startswith(f"{bad}."))
                ]
    return sorted(set(complaints))


def versions_agree() -> Complaints:
    """The wheels are released together: each names the contract's version exactly."""
    projects = {folder: tomllib.loads((REPO / folder / "pyproject.toml").read_text())["project"] for folder in WHEELS}
    contract = f"delphis-protos=={projects['protos']['version']}"
    return [
        f"{folder}/pyproject.toml: must depend on {contract}"
        for folder in WHEELS[1:]
        if contract not in projects[folder]["dependencies"]
    ]


def licences_are_one() -> Complaints:
    """Each wheel carries the licence as a file of its own: a link would dangle in a source archive."""
    licence = (REPO / "LICENSE").read_bytes()
    return [
        f"{folder}/LICENSE: is not LICENSE" for folder in WHEELS if (REPO / folder / "LICENSE").read_bytes() != licence
    ]


def wheels_hold_only_ours() -> Complaints:
    complaints: Complaints = []
    with tempfile.TemporaryDirectory(prefix="delphis-wheels-") as out:
        for folder in WHEELS:
            failed = tool("python", "-m", "build", "--wheel", "--no-isolation", "--outdir", out, folder)()
            complaints += failed
        for wheel in sorted(Path(out).glob("*.whl")):
            names = zipfile.ZipFile(wheel).namelist()
            complaints += [
                f"{wheel.name}: {name} does not belong in it"
                for name in names
                if not (name.startswith("delphis/") or ".dist-info/" in name)
                or name == "delphis/__init__.py"
                or "__pycache__" in name
            ]
            if not any(name.endswith("py.typed") for name in names):
                complaints.append(f"{wheel.name}: has no py.typed")
    return complaints


def checks() -> dict[str, Check]:
    typed = [folder for folder in TYPED if any((REPO / folder).rglob("*.py"))]
    return {
        "pyright": tool("pyright"),
        "mypy --strict": tool("mypy", "--strict", *typed, *GENERATORS),
        "ruff check": tool("ruff", "check", "--quiet", "."),
        "ruff format": tool("ruff", "format", "--check", "--quiet", "--diff", "."),
        "generated files are current": tool("python", "protos/generate.py", "--check"),
        "contract reference": tool("python", "protos/generate_reference.py", "--check"),
        "table of metrics": tool("python", "protos/generate_metrics.py", "--check"),
        "command line reference": tool("python", "cli/generate_reference.py", "--check"),
        "buf lint": tool("buf", "lint"),
        "buf format": tool("buf", "format", "--diff", "--exit-code", "--exclude-path", "protos/google"),
        "wheel contents": wheels_hold_only_ours,
        "wheel versions": versions_agree,
        "licences": licences_are_one,
        "namespace": namespace_is_shared,
        "lock files": locks_name_no_host,
        "layers": layers_hold,
    }


def main() -> int:
    failed: list[str] = []

    def judge(name: str, check: Check) -> tuple[str, Complaints, float]:
        began = time.monotonic()
        return name, check(), time.monotonic() - began

    with ThreadPoolExecutor(max_workers=2) as pool:
        for running in [pool.submit(judge, name, check) for name, check in checks().items()]:
            name, complaints, seconds = running.result()
            print(f"{'FAILED' if complaints else 'ok':6}  {name}  ({seconds:.1f} s)", flush=True)
            for complaint in complaints:
                print("        " + complaint.replace("\n", "\n        "))
            if complaints:
                failed.append(name)
    if failed:
        print(f"\nmake check: {len(failed)} failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
