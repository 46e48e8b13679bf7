"""The format of snmpsim: `OID|TAG|VALUE` a line, in the order of OIDs; a tag with `x` has its value in hexadecimal."""

from __future__ import annotations

from collections.abc import Iterator

from delphis.sdk.recording.hook import SnmpVariable
from delphis.sdk.recording.replacements import Replacements

OCTETS, OPAQUE, ADDRESS = 4, 68, 64
_TEXTS = (OCTETS, OPAQUE)
# What every agent tells of itself by the same OIDs, as fields elsewhere are called.
_KNOWN = {
    "1.3.6.1.2.1.1.4": "user name",  # sysContact
    "1.3.6.1.2.1.1.5": "host name",  # sysName
    "1.3.6.1.2.1.1.6": "host name",  # sysLocation
    "1.3.6.1.2.1.47.1.1.1.1.11": "serial number",  # entPhysicalSerialNum
}


def known_as(oid: str) -> str:
    """What a field with the value of this variable would be called; empty where that is not known."""
    return _KNOWN.get(oid.rpartition(".")[0], "")


def line_of(variable: SnmpVariable, replacements: Replacements | None = None) -> str:
    """A variable as a line; with everything private replaced where a table is given."""
    value, oid = variable.value, variable.oid
    if replacements is not None:
        text = value.decode("latin-1")
        # As bytes: a MAC, or a WWN.
        if variable.tag in _TEXTS and len(value) in (6, 8, 16) and not value.isascii():
            made = replacements.scrub(value.hex(":"))
            value = bytes.fromhex(made.replace(":", ""))
        elif variable.tag in (*_TEXTS, ADDRESS):
            value = replacements.scrub(text).encode("latin-1", "replace")
    if variable.tag in _TEXTS and not (value.isascii() and value.decode().isprintable()):
        return f"{oid}|{variable.tag}x|{value.hex()}\n"
    return f"{oid}|{variable.tag}|{value.decode('latin-1')}\n"


def parse(text: str) -> Iterator[SnmpVariable]:
    """The variables of a file's lines. ValueError where a line is none."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            oid, tag, value = line.split("|", 2)
            digits = tag.removesuffix("x")
            plain = bytes.fromhex(value) if tag.endswith("x") else value.encode()
            variable = SnmpVariable(".".join(str(int(part)) for part in oid.strip(".").split(".")), int(digits), plain)
        except ValueError:
            raise ValueError(
                f"line {number} is not OID|TAG|VALUE with a plain tag: {line[:60]!r}; variations are not supported"
            ) from None
        yield variable
