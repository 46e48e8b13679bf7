"""XML, as plain dicts, lists and texts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast
from xml.parsers import expat

from delphis.sdk import errors

Markup = str | dict[str, Any]
MOST_BYTES = 64 * 2**20
MOST_DEPTH = 200


def xml_values(
    document: str | bytes,
    *,
    lists: Collection[str] = (),
    prefixes: bool = False,
    most_bytes: int = MOST_BYTES,
) -> dict[str, Markup]:
    """Reads an XML document. Entities of its own are refused, so that it can't grow or reach out.

    An element without attributes and elements is its text. Every other is a dict: attributes by `"@name"`, elements by
    name, and its text, if any, by `"#text"`. Elements that stand there more than once are a list, in order.

    Args:
        document: Of the array.
        lists: Names of elements that are lists even where there is only one. Name all that may repeat: a driver that
            saw two disks then also reads one.
        prefixes: Keep the prefixes of namespaces in names: `soap:Body`, not `Body`.
        most_bytes: The largest document that is read.

    Returns:
        One key, the root's name, and what it holds.

    Raises:
        errors.BadResponse: It is no XML, declares entities, or is too large or too deep (200 elements in each other).
    """
    data = document.encode("utf-8", "surrogatepass") if isinstance(document, str) else document
    if len(data) > most_bytes:
        raise errors.BadResponse(f"The array's XML has {len(data)} bytes; no more than {most_bytes} are read.")
    # Text has been decoded already, whatever the document says of its encoding.
    parser = expat.ParserCreate("utf-8" if isinstance(document, str) else None)
    tree = _Tree(frozenset(lists), prefixes)
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.text
    parser.EntityDeclHandler = _refuse_entity
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        said = expat.ErrorString(error.code)
        raise errors.BadResponse(
            f"The array's answer is no XML: {said} in line {error.lineno}.", detail=said, line=error.lineno
        ) from None
    except (ValueError, LookupError):
        raise errors.BadResponse("The array's XML is in an encoding that can't be read.") from None
    return tree.root


def _refuse_entity(name: str, *_: object) -> None:
    raise errors.BadResponse("The array's XML declares entities, which are not read.")


class _Element:
    __slots__ = ("name", "parts", "values")

    def __init__(self, name: str, values: dict[str, Any]) -> None:
        self.name = name
        self.values = values
        self.parts: list[str] = []


class _Tree:
    def __init__(self, lists: frozenset[str], prefixes: bool) -> None:
        self.root: dict[str, Markup] = {}
        self._lists = lists
        self._prefixes = prefixes
        self._open: list[_Element] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= MOST_DEPTH:
            raise errors.BadResponse(f"The array's XML is deeper than {MOST_DEPTH} elements.")
        values = {
            f"@{self._name(key)}": value
            for key, value in attributes.items()
            if self._prefixes or not key.startswith("xmlns")
        }
        self._open.append(_Element(self._name(name), values))

    def text(self, text: str) -> None:
        self._open[-1].parts.append(text)

    def end(self, _: str) -> None:
        element = self._open.pop()
        text = "".join(element.parts).strip()
        if element.values and text:
            element.values["#text"] = text
        value: Markup = element.values or text
        if not self._open:
            self.root[element.name] = value
            return
        inside = self._open[-1].values
        if element.name not in inside:
            inside[element.name] = [value] if element.name in self._lists else value
        elif isinstance(inside[element.name], list):
            cast(list[Markup], inside[element.name]).append(value)
        else:
            inside[element.name] = [inside[element.name], value]

    def _name(self, name: str) -> str:
        return name if self._prefixes else name.rpartition(":")[2]
