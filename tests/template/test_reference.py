"""docs/reference: complete, as the descriptors that Python loads know the contract, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

import delphis.descriptors
from delphis.sdk.host.contract import methods
from services.calls.errors import reasons

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGES = sorted(path.name for path in REFERENCE.glob("*.md"))


def text(page: str) -> str:
    return (REFERENCE / page).read_text(encoding="utf-8")


def headings(page: str) -> list[str]:
    """As anchors."""
    shown = re.findall(r"(?m)^#+ (.+)$", text(page))
    return [re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in shown]


def test_each_package_has_its_page() -> None:
    files = descriptor_pb2.FileDescriptorSet.FromString(delphis.descriptors.load()).file
    packages = {file.package for file in files}
    assert len(packages) >= 5
    assert sorted(["README.md", *(f"{package}.md" for package in packages)]) == PAGES
    for file in files:
        shown = headings(f"{file.package}.md")
        named = [*(m.name for m in file.message_type), *(e.name for e in file.enum_type)]
        assert {name.lower() for name in named} <= set(shown), file.name
        for service in file.service:
            assert {method.name.lower() for method in service.method} <= set(shown), file.name
        for described in file.message_type:
            for field in described.field:
                assert f"| `{field.name}` | {field.number} |" in text(f"{file.package}.md"), field.name


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text(page))
    assert links
    for target, anchor in links:
        assert (REFERENCE / (target or page)).is_file(), (target, anchor)
        assert not anchor or headings(target or page).count(anchor) == 1, (target, anchor)


def test_options_are_shown() -> None:
    driver, types = text("delphis.driver.v1.md"), text("delphis.type.v1.md")
    assert "scope READ · deadline 600 s · asks the array · changes nothing" in driver
    assert all(f"#### {name}\n" in driver for name in methods())
    for reason in reasons().values():
        row = next(line for line in types.splitlines() if f"`{reason.text}`" in line and line.startswith("| `"))
        assert f"| {reason.http_status} |" in row, row
    secrets = [line for line in types.splitlines() if "**secret**" in line]
    assert any(line.startswith("| `password`") for line in secrets)
    assert "delphis/type/v1/access.proto" in types
    assert "| `DISK_PHYSICAL_TYPE_NL_SAS` " in types
    assert "`nl-sas`" in types
    assert "`GET /v1/volumes`" in text("delphis.inventory.v1.md")
