"""What is left to read of what was written to a terminal."""

from __future__ import annotations

import re

# Control sequences (ECMA-48), strings to the terminal (titles and such), other escapes; what controls the cursor
# is told apart below.
_PART = re.compile(
    r"\x1b\[(?P<numbers>[0-?]{0,32})[ -/]{0,8}(?P<final>[@-~])"
    r"|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)"
    r"|\x1b[ -/]{0,8}[0-~]?"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
    r"|(?P<text>[^\x00-\x1f\x7f]+)"
)
_WIDEST = 4096


def rendered(text: str) -> str:
    """A terminal's output as a reader sees it: colours gone, backspaces and returns carried out.

    Args:
        text: As it came, escape sequences included. Lines may end in CR LF.

    Returns:
        Lines that end in LF, without blanks at their ends, and without control characters but tabs.
    """
    return "\n".join(_line(line) for line in re.sub(r"\r+\n", "\n", text).split("\n"))


def _line(line: str) -> str:
    if line.isprintable():
        return line.rstrip()
    cells: list[str] = []
    column = 0
    for part in _PART.finditer(line):
        if (written := part["text"]) is not None:
            _write(cells, column, written)
            column += len(written)
        elif (control := part["control"]) is not None:
            if control == "\b":
                column = max(0, column - 1)
            elif control == "\r":
                column = 0
            elif control == "\t":
                _write(cells, column, control)
                column += 1
        elif (final := part["final"]) is not None:
            column = _move(cells, column, final, part["numbers"] or "")
    return "".join(cells).rstrip()


def _write(cells: list[str], column: int, text: str) -> None:
    cells.extend(" " * (column - len(cells)))
    cells[column : column + len(text)] = text


def _move(cells: list[str], column: int, final: str, numbers: str) -> int:
    count = min(int(numbers), _WIDEST) if numbers.isascii() and numbers.isdigit() else 0
    match final:
        case "K" if count == 0:
            del cells[column:]
        case "K" if count == 2:
            cells.clear()
        case "K":
            cells[:column] = " " * min(column, len(cells))
        case "C":
            return min(column + max(1, count), max(column, _WIDEST))
        case "D":
            return max(0, column - max(1, count))
        case "G":
            return max(1, count) - 1
        case "P":
            del cells[column : column + max(1, count)]
        case _:
            pass
    return column
