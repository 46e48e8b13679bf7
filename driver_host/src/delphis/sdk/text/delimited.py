"""Lines of cells with a delimiter, such as CSV."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from delphis.sdk import errors
from delphis.sdk.text.lines import shortened


def delimited(
    text: str,
    *,
    delimiter: str = ",",
    titles: Sequence[str] | None = None,
    comment: str | None = None,
    quoted: bool = True,
    pad: bool = False,
) -> list[dict[str, str]]:
    """A table of lines whose cells are parted by a delimiter, with what arrays do to CSV.

    A byte order mark, blank lines, blanks around cells, empty cells beyond the last title (a delimiter at each line's
    end) and repetitions of the titles are taken without a word.

    Args:
        text: What the array printed.
        delimiter: One character, such as `","`, `":"`, `"|"`, `"\\t"`.
        titles: Of the columns, where the first line doesn't hold them.
        comment: Lines that begin with it are left out.
        quoted: Cells may be in double quotes, and then hold delimiters and line ends; a quote in them is doubled.
            False: quotes are characters as all others.
        pad: Lines may end early; the cells that they lack are empty.

    Returns:
        The rows: texts by title.

    Raises:
        errors.BadResponse: A line has too few or too many cells, a title stands there twice, or a quote isn't closed.
        ValueError: `delimiter` is not one character.
    """
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(
            f"the delimiter is {delimiter!r}, and must be one character that is neither quote nor line end"
        )
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if comment:
        lines = [line for line in lines if not line.lstrip().startswith(comment)]
    kept = ((line + "\n") for line in lines)
    rows: list[dict[str, str]] = []
    keys = [title.strip() for title in titles] if titles is not None else None
    try:
        reader = csv.reader(
            kept,
            delimiter=delimiter,
            skipinitialspace=delimiter != " ",
            strict=True,
            quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        )
        for raw in reader:
            cells = [cell.strip() for cell in raw]
            if not any(cells):
                continue
            if keys is None:
                keys = _trimmed(cells)
                _check_unique(keys)
            elif _trimmed(cells) != keys:
                rows.append(_row(keys, cells, pad))
    except csv.Error as error:
        raise errors.BadResponse(f"The array's table can't be read: {error}.") from None
    return rows


def _trimmed(cells: list[str]) -> list[str]:
    end = len(cells)
    while end and not cells[end - 1]:
        end -= 1
    return cells[:end]


def _check_unique(keys: list[str]) -> None:
    for place, key in enumerate(keys):
        if key in keys[:place]:
            raise errors.BadResponse(f"The array's table has two columns with the title {shortened(key)!r}.", title=key)


def _row(keys: list[str], cells: list[str], pad: bool) -> dict[str, str]:
    while len(cells) > len(keys) and not cells[-1]:
        cells.pop()
    if pad and len(cells) < len(keys):
        cells += [""] * (len(keys) - len(cells))
    if len(cells) != len(keys):
        line = ", ".join(cells)
        raise errors.BadResponse(
            f"The array's table has {len(keys)} columns, and a line of {len(cells)} cells: {shortened(line)!r}.",
            line=shortened(line),
        )
    return dict(zip(keys, cells, strict=True))
