"""Write docs/reference/ from the contract's descriptors, or say what is out of date.

python protos/generate_reference.py            write docs/reference/ anew
python protos/generate_reference.py --check    write nothing; name the pages that differ, end with 1 if there are any

A page for each package: its services, with methods and their own messages, then the messages and enums that several
share. What it says is what stands in the `.proto` files: comments, options, numbers.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
    MethodOptions,
    ServiceDescriptorProto,
)

import delphis.descriptors
from delphis.type.v1 import options_pb2
from delphis.type.v1.errors_pb2 import Reason

REPO = Path(__file__).resolve().parent.parent
OUT = REPO / "docs" / "reference"
INTRODUCTION = """# The contract

Everything that crosses a process is described in `protos/delphis/**`. These pages are made from those files, which
carry the same words; `delphis.descriptors.load()` of the wheel delphis-protos gives them to programs.
"""
# Who wants to read a package, in the order of the front page.
READERS = {
    "delphis.driver.v1": "what a driver serves; the inventory serves it too, as a router to all arrays",
    "delphis.type.v1": "resources, access info, alerts, metrics, and the reasons of errors",
    "delphis.inventory.v1": "storages, their resources and relations, jobs, changes: what clients call",
    "delphis.registry.v1": "which drivers exist, which hosts serve them, leases",
    "delphis.auth.v1": "tokens and the audit log",
}
CODES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
_SCALARS = {
    getattr(FieldDescriptorProto, name): name.removeprefix("TYPE_").lower()
    for name in FieldDescriptorProto.Type.keys()  # noqa: SIM118 - no mapping
}
# Their types in googleapis-common-protos are not those of protobuf's own stubs.
_HTTP: Any = annotations_pb2.http
_BEHAVIOR: Any = field_behavior_pb2.field_behavior
_FIELD, _VALUE, _METHOD = 2, 2, 2  # numbers in descriptor.proto, of which paths of comments are made
_PACKAGE, _MESSAGES, _ENUMS, _SERVICES = 2, 4, 5, 6


@dataclass
class Page:
    """One package."""

    package: str
    files: list[FileDescriptorProto] = field(default_factory=list[FileDescriptorProto])


class Comments:
    """The comments of a file by the paths of what they are about."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._texts = {
            tuple(location.path): location.leading_comments or location.trailing_comments
            for location in file.source_code_info.location
        }

    def of(self, *path: int) -> str:
        lines = self._texts.get(path, "").splitlines()
        return "\n".join(line.removeprefix(" ").rstrip() for line in lines).strip()


class Reference:
    """All pages."""

    def __init__(self, files: Iterable[FileDescriptorProto]) -> None:
        self.pages: dict[str, Page] = {}
        for file in sorted(files, key=lambda file: file.name):
            self.pages.setdefault(file.package, Page(file.package)).files.append(file)
        everything = [file for page in self.pages.values() for file in page.files]
        self._uses = Counter(used for file in everything for used in _used(file))
        self._comments = {file.name: Comments(file) for file in everything}

    def texts(self) -> dict[str, str]:
        """The pages by their file names."""
        order = sorted(self.pages, key=lambda name: (list(READERS).index(name) if name in READERS else 99, name))
        index = [INTRODUCTION, "| package | is |", "| --- | --- |"]
        index += [f"| [{name}]({name}.md) | {READERS.get(name, '')} |" for name in order]
        front = "\n".join(index) + "\n"
        return {"README.md": front} | {f"{name}.md": self._page(page) for name, page in self.pages.items()}

    def _page(self, page: Page) -> str:
        parts = [
            f"# {page.package}",
            "Made from the `.proto` files by `protos/generate_reference.py`. [All packages](README.md)",
        ]
        parts += [self._contents(page)]
        for file in page.files:
            comments = self._comments[file.name]
            if len(page.files) > 1:
                parts.append(f"## {file.name}")
            parts.append(comments.of(_PACKAGE))
            for number, service in enumerate(file.service):
                parts += self._service(file, number, service)
            own = self._own(file)
            shared = [(n, m) for n, m in enumerate(file.message_type) if self._name(file, m.name) not in own]
            if file.service and (shared or file.enum_type):
                parts.append(
                    "### Messages and enums of these methods" if len(page.files) > 1 else "## Messages and enums"
                )
            for number, message in shared:
                parts += self._message(file, number, message)
            for number, enum in enumerate(file.enum_type):
                parts += _enum(comments, number, enum)
        return re.sub(r"\n{3,}", "\n\n", "\n\n".join(part for part in parts if part)) + "\n"

    def _contents(self, page: Page) -> str:
        lines = []
        for file in page.files:
            own = self._own(file)
            shown = [
                *(f"{service.name}" for service in file.service),
                *(message.name for message in file.message_type if self._name(file, message.name) not in own),
                *(enum.name for enum in file.enum_type),
            ]
            links = ", ".join(f"[{name}](#{name.lower()})" for name in shown)
            lines.append(f"- **{_title(file)}**: {links}" if len(page.files) > 1 else links)
            for service in file.service:
                methods = ", ".join(f"[{m.name}](#{m.name.lower()})" for m in service.method)
                lines.append(
                    f"  - methods of {service.name}: {methods}" if len(page.files) > 1 else f"\nMethods: {methods}"
                )
        return "\n".join(lines)

    # ---- Services ----

    def _service(self, file: FileDescriptorProto, number: int, service: ServiceDescriptorProto) -> Iterator[str]:
        comments = self._comments[file.name]
        yield f"### {service.name}"
        yield comments.of(_SERVICES, number)
        for place, method in enumerate(service.method):
            yield f"#### {method.name}"
            yield self._signature(file, method)
            yield comments.of(_SERVICES, number, _METHOD, place)
            for type_name in dict.fromkeys((method.input_type, method.output_type)):
                if type_name in self._own(file):
                    [(index, message)] = [
                        (n, m) for n, m in enumerate(file.message_type) if f".{file.package}.{m.name}" == type_name
                    ]
                    yield from self._message(file, index, message, level=5)

    def _signature(self, file: FileDescriptorProto, method: MethodDescriptorProto) -> str:
        stream = ["stream " if flag else "" for flag in (method.client_streaming, method.server_streaming)]
        asks, gives = (self._link(name, file) for name in (method.input_type, method.output_type))
        options = method.options
        scope = options_pb2.Scope.Name(options.Extensions[options_pb2.scope]).removeprefix("SCOPE_")
        deadline = options.Extensions[options_pb2.default_deadline]
        facts = [f"scope {scope}", f"deadline {deadline.ToTimedelta().total_seconds():g} s"]
        if options.Extensions[options_pb2.needs_array]:
            facts.append("asks the array")
        match options.idempotency_level:
            case MethodOptions.NO_SIDE_EFFECTS:
                facts.append("changes nothing")
            case MethodOptions.IDEMPOTENT:
                facts.append("may be repeated")
            case _:
                facts.append("not to be repeated blindly")
        lines = [f"{stream[0]}{asks} → {stream[1]}{gives}", " · ".join(facts)]
        if options.HasExtension(_HTTP):
            rule: Any = options.Extensions[_HTTP]
            lines += [f"`{bound}`" for bound in map(_http, (rule, *rule.additional_bindings))]
        return "  \n".join(lines)

    def _own(self, file: FileDescriptorProto) -> set[str]:
        """Messages that one method of the file asks or gives, and nothing else mentions."""
        ends = Counter(
            name
            for service in file.service
            for method in service.method
            for name in {method.input_type, method.output_type}
        )
        mine = {self._name(file, message.name) for message in file.message_type}
        return {name for name, count in ends.items() if name in mine and count == 1 and self._uses[name] == 1}

    # ---- Messages ----

    def _message(
        self, file: FileDescriptorProto, number: int, message: DescriptorProto, level: int = 4
    ) -> Iterator[str]:
        comments = self._comments[file.name]
        yield f"{'#' * level} {message.name}"
        yield comments.of(_MESSAGES, number)
        if message.options.HasExtension(options_pb2.resource):
            kind = message.options.Extensions[options_pb2.resource]
            yield f"Kind `{kind.kind}`, in paths and lists `{kind.plural}`."
        rows = []
        for place, each in enumerate(message.field):
            cell = _cell(comments.of(_MESSAGES, number, _FIELD, place))
            rows.append(f"| `{each.name}` | {each.number} | {self._type(each, message, file)} | {cell}{_facts(each)} |")
        if rows:
            yield "| field | number | type | meaning |\n| --- | --- | --- | --- |\n" + "\n".join(rows)
        else:
            yield "No fields."

    def _type(self, each: FieldDescriptorProto, message: DescriptorProto, file: FileDescriptorProto) -> str:
        nested = {f"{self._name(file, message.name)}.{entry.name}": entry for entry in message.nested_type}
        entry = nested.get(each.type_name)
        if entry is not None and entry.options.map_entry:
            key, value = (self._type(part, message, file) for part in entry.field)
            return f"map of {key} to {value}"
        if each.type in (FieldDescriptorProto.TYPE_MESSAGE, FieldDescriptorProto.TYPE_ENUM):
            shown = self._link(each.type_name, file)
        else:
            shown = _SCALARS[each.type]
        if each.label == FieldDescriptorProto.LABEL_REPEATED:
            return f"repeated {shown}"
        if each.HasField("oneof_index") and not each.proto3_optional:
            return f"{shown}, one of `{message.oneof_decl[each.oneof_index].name}`"
        return f"optional {shown}" if each.proto3_optional else shown

    def _link(self, type_name: str, file: FileDescriptorProto) -> str:
        package, _, name = type_name.removeprefix(".").rpartition(".")
        if package not in self.pages:
            return f"`{package}.{name}`"
        page = "" if package == file.package else f"{package}.md"
        return f"[{name}]({page}#{name.lower()})"

    def _name(self, file: FileDescriptorProto, name: str) -> str:
        return f".{file.package}.{name}"


def _used(file: FileDescriptorProto) -> Iterator[str]:
    """The full names of the types that methods and fields mention."""
    for service in file.service:
        for method in service.method:
            yield from {method.input_type, method.output_type}
    for message in file.message_type:
        for each in (message, *message.nested_type):
            yield from (one.type_name for one in each.field if one.type_name)


def _title(file: FileDescriptorProto) -> str:
    return file.name.rpartition("/")[2].removesuffix(".proto").replace("_", " ").capitalize()


def _http(rule: Any) -> str:
    verb = rule.WhichOneof("pattern")
    return f"{verb.upper()} {getattr(rule, verb)}" + (" with a body" if rule.body else "")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _facts(each: FieldDescriptorProto) -> str:
    """What a field's options say."""
    options, facts = each.options, []
    if field_behavior_pb2.REQUIRED in options.Extensions[_BEHAVIOR]:
        facts.append("required")
    if options.Extensions[options_pb2.secret]:
        facts.append("**secret**")
    if kind := options.Extensions[options_pb2.references]:
        facts.append(f"names a `{kind}`")
    if header := options.Extensions[options_pb2.response_header]:
        facts.append(f"over REST the header `{header}`")
    return f" ({', '.join(facts)})" if facts else ""


def _enum(comments: Comments, number: int, enum: EnumDescriptorProto) -> Iterator[str]:
    yield f"#### {enum.name}"
    yield comments.of(_ENUMS, number)
    is_reason = enum.name == Reason.DESCRIPTOR.name
    prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper() + "_"
    rows = []
    for place, value in enumerate(enum.value):
        text = value.options.Extensions[options_pb2.text] or value.name.removeprefix(prefix).lower()
        meaning = _cell(comments.of(_ENUMS, number, _VALUE, place))
        if is_reason:
            code, status = (value.options.Extensions[each] for each in (options_pb2.code, options_pb2.http_status))
            shown = f"`{text}` | {CODES[code] if code else ''} | {status or ''}"
            rows.append(f"| `{value.name.removeprefix(prefix)}` | {value.number} | {shown} | {meaning} |")
        else:
            rows.append(f"| `{value.name}` | {value.number} | `{text}` | {meaning} |")
    if is_reason:
        head = "| reason | number | error_code | code | HTTP | condition, and what the caller does |"
    else:
        head = "| value | number | text | meaning |"
    rule = "| " + " | ".join("---" for _ in range(head.count("|") - 1)) + " |"
    yield "\n".join([head, rule, *rows])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, report what is out of date")
    checking = parser.parse_args().check
    files = descriptor_pb2.FileDescriptorSet.FromString(delphis.descriptors.load()).file
    wanted = Reference(files).texts()
    present = {path.name: path.read_text(encoding="utf-8") for path in OUT.glob("*.md")}
    stale = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
    if checking:
        for name in stale:
            print(f"docs/reference/{name} is not what the contract says: run `python protos/generate_reference.py`")
        return 1 if stale else 0
    OUT.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in wanted:
            (OUT / name).write_text(wanted[name], encoding="utf-8")
        else:
            (OUT / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
