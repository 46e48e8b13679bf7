"""Regenerate protos/gen/python from protos/delphis, or say what is out of date.

python protos/generate.py            write protos/gen/python anew
python protos/generate.py --check    write nothing; name the files that differ, and end with 1 if there are any

The output is committed, so that installing needs no compiler and a review shows what changes for callers. Two tools,
each in a locked environment of its own, because they can't share a protobuf version (see protos/README.md).
"""

from __future__ import annotations

import argparse
import filecmp
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
REQUIREMENTS = REPO / "requirements"
PACKAGE = "delphis"
DESCRIPTORS = "descriptors.binpb"

ACCESSOR = '''"""The contract's descriptors with their comments, which generated code leaves out.

Written by protos/generate.py.
"""

from importlib.resources import files


def load() -> bytes:
    """A serialised google.protobuf.FileDescriptorSet of all files under delphis/, source comments included.

    Files of google/ that they import are not in it; they are in the runtime's default pool.
    """
    return files(__name__).joinpath("descriptors.binpb").read_bytes()
'''


class ToolFailed(Exception):
    """A tool this script runs ended with an error; it has already said why on stderr."""


def run(command: list[str | Path]) -> None:
    if subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode != 0:
        raise ToolFailed(f"failed: {' '.join(str(part) for part in command[:4])} …")


def environment(name: str) -> Path:
    """The bin folder of a virtual environment that holds exactly requirements/NAME.txt, made if need be."""
    lock = REQUIREMENTS / f"{name}.txt"
    venv = REPO / f".venv-{name}"
    stamp = venv / ".lock-sha256"
    wanted = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    if not stamp.is_file() or stamp.read_text() != wanted:
        run([sys.executable, "-m", "venv", "--clear", venv])
        run([venv / "bin/python", "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", lock])
        stamp.write_text(wanted)
    return venv / "bin"


def generate(root: Path, out: Path) -> None:
    """Compile every proto file under root/delphis; `out` becomes the folder that is put on the import path."""
    compiler = environment("protoc")
    plugins = environment("protoc-plugin")
    package = root / PACKAGE
    sources = sorted(str(path.relative_to(root)) for path in package.rglob("*.proto"))
    if not sources:
        raise ToolFailed(f"no .proto files under {package}")
    descriptors = out / PACKAGE / "descriptors"
    descriptors.mkdir(parents=True)
    run(
        [
            compiler / "python",
            "-m",
            "grpc_tools.protoc",  # brings the include path of google/protobuf along
            f"--proto_path={root}",
            f"--python_out={out}",
            f"--grpc_python_out={out}",
            f"--plugin=protoc-gen-mypy={plugins / 'protoc-gen-mypy'}",
            f"--mypy_out=quiet:{out}",
            f"--plugin=protoc-gen-mypy_grpc={plugins / 'protoc-gen-mypy_grpc'}",
            f"--mypy_grpc_out=quiet:{out}",
            f"--descriptor_set_out={descriptors / DESCRIPTORS}",
            "--include_source_info",
            *sources,
        ]
    )
    (descriptors / "__init__.py").write_text(ACCESSOR, encoding="utf-8")
    for area in sorted((out / PACKAGE).iterdir()):
        (area / "py.typed").touch()
    for empty in [path for path in out.rglob("*_pb2_grpc.py*") if not has_service(path, out, root)]:
        empty.unlink()  # files without a service get a stub module with nothing in it


def has_service(stub: Path, out: Path, root: Path) -> bool:
    proto = root / stub.parent.relative_to(out) / (stub.name.split("_pb2_grpc")[0] + ".proto")
    return any(line.startswith("service ") for line in proto.read_text(encoding="utf-8").splitlines())


def files(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def drift(committed: Path, fresh: Path) -> list[str]:
    """What must change in `committed` to equal `fresh`, one line a file."""
    old, new = files(committed), files(fresh)
    report = [f"{name}: missing, run `make proto`" for name in sorted(new - old)]
    report += [f"{name}: has no proto file any more" for name in sorted(old - new)]
    for name in sorted(old & new):
        if not filecmp.cmp(committed / name, fresh / name, shallow=False):
            report.append(f"{name}: out of date, run `make proto`")
    return report


def replace(target: Path, fresh: Path) -> None:
    """Make `target` equal `fresh`, touching only files that differ (editors and running tests look on)."""
    for name in sorted(files(target) - files(fresh)):
        (target / name).unlink()
    for name in sorted(files(fresh)):
        destination = target / name
        if destination.is_file() and filecmp.cmp(destination, fresh / name, shallow=False):
            continue
        destination.parent.mkdir(parents=True, exist_ok=True)
        staged = destination.with_name(destination.name + ".new")
        shutil.copyfile(fresh / name, staged)
        os.replace(staged, destination)
    for folder in sorted((path for path in target.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, report what is out of date")
    parser.add_argument("--root", type=Path, default=REPO / "protos", help="folder that holds delphis/ (and google/)")
    parser.add_argument("--out", type=Path, default=REPO / "protos/gen/python", help="folder to write to")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="delphis-proto-") as scratch:
        fresh = Path(scratch)
        try:
            generate(arguments.root.resolve(), fresh)
        except ToolFailed as failure:
            print(f"generate.py: {failure}", file=sys.stderr)
            return 1
        if not arguments.check:
            arguments.out.mkdir(parents=True, exist_ok=True)
            replace(arguments.out, fresh)
            return 0
        report = drift(arguments.out, fresh)
        for line in report:
            print(arguments.out / line)
        return 1 if report else 0


if __name__ == "__main__":
    sys.exit(main())
