"""Tables of columns, as command lines print them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from delphis.sdk import errors
from delphis.sdk.text.lines import lines_of, shortened

Row = dict[str, str]
_RULER = re.compile(r"[ \t|+]*(?:[-=_]{2,}|[-=])(?:[ \t|+]+[-=_]+)*[ \t|+]*")
_MOST_COLUMNS = 500


def column_table(text: str, *, titles: Sequence[str] | None = None, gap: int = 2, wrapped: bool = False) -> list[Row]:
    """A table whose cells stand under their titles: left, right or in between. Cells may be empty or hold blanks.

    A column ends where all lines of the table are blank. Where the line under the titles is a ruler of as many dashes
    as there are columns (`---  ------`), the columns are the ruler's. The table ends at a blank line or another ruler.

    Args:
        text: What the array printed; what precedes the titles is left out.
        titles: All of them, in order, where the array's hold single blanks or are otherwise hard to tell apart: the
            first line that holds them is the head of the table. None: the line above the first ruler, or, without
            one, the first line that isn't blank.
        gap: How many blanks part two titles, where `titles` doesn't give them.
        wrapped: A line whose first cell is empty continues the cells of the one above, after a blank.

    Returns:
        The rows: texts by title, without blanks around them. A title that stands there twice is "Name", then "Name_2".
        No rows where nothing follows the titles.

    Raises:
        errors.BadResponse: There is no line of titles, or the columns can't be told apart.
        ValueError: `gap` or `titles` can be none.
    """
    _check(titles, gap)
    lines = [line.rstrip() for line in lines_of(text)]
    head, ruler = _head(lines, titles)
    body = _body(lines, (head if ruler is None else ruler) + 1)
    spans = _titles_of(lines[head], titles, gap)
    dashes = _runs(lines[ruler], r"[^ \t|+]+") if ruler is not None else []
    if len(dashes) > 1 and titles is None:
        cuts = [start for start, _ in dashes]
        names = _cells(lines[head], cuts)
    else:
        names = [lines[head][start:end] for start, end in spans]
        cuts = _cuts(lines[head], spans, body)
    keys = _unique(names)
    rows: list[Row] = []
    for line in body:
        cells = _cells(line, cuts)
        if wrapped and rows and not cells[0]:
            last = rows[-1]
            last.update({key: f"{last[key]} {cell}".strip() for key, cell in zip(keys, cells, strict=True) if cell})
        else:
            rows.append(dict(zip(keys, cells, strict=True)))
    return rows


def spaced_table(text: str, *, titles: Sequence[str] | None = None, gap: int = 2) -> list[Row]:
    """A table whose cells are only parted by blanks, not aligned. No cell may be empty.

    Args:
        text: What the array printed; what precedes the titles is left out.
        titles: As for `column_table`.
        gap: How many blanks part two cells. With 1, no cell holds a blank.

    Returns:
        The rows, as `column_table` returns them.

    Raises:
        errors.BadResponse: There is no line of titles, or a line has another number of cells.
        ValueError: `gap` or `titles` can be none.
    """
    _check(titles, gap)
    lines = [line.rstrip() for line in lines_of(text)]
    head, ruler = _head(lines, titles)
    keys = _unique([lines[head][start:end] for start, end in _titles_of(lines[head], titles, gap)])
    rows: list[Row] = []
    for line in _body(lines, (head if ruler is None else ruler) + 1):
        cells = re.split(rf" {{{gap},}}", line.strip())
        if len(cells) != len(keys):
            raise errors.BadResponse(
                f"The array's table has {len(keys)} titles, and a line of {len(cells)} cells: {shortened(line)!r}.",
                line=shortened(line),
            )
        rows.append(dict(zip(keys, cells, strict=True)))
    return rows


def _check(titles: Sequence[str] | None, gap: int) -> None:
    if gap < 1:
        raise ValueError(f"gap is {gap}, and must be 1 or more")
    if titles is not None and (not titles or any(not title.strip() for title in titles)):
        raise ValueError("titles must be texts, and at least one")


def _head(lines: list[str], titles: Sequence[str] | None) -> tuple[int, int | None]:
    """Which line holds the titles, and which is the ruler under it."""
    if titles is not None:
        head = next((place for place, line in enumerate(lines) if _find(line, titles) is not None), None)
        if head is None:
            shown = ", ".join(titles)
            raise errors.BadResponse(f"The array's table has no line with the titles {shortened(shown, 200)}.")
    else:
        written = [place for place, line in enumerate(lines) if line.strip()]
        ruled = [
            (above, place)
            for above, place in pairwise(written)
            if _is_ruler(lines[place]) and not _is_ruler(lines[above]) and place == above + 1
        ]
        plain = next((place for place in written if not _is_ruler(lines[place])), None)
        head = ruled[0][0] if ruled else plain
        if head is None:
            raise errors.BadResponse("The array's answer holds no table: it has no line of titles.")
    under = head + 1
    return head, under if under < len(lines) and _is_ruler(lines[under]) else None


def _is_ruler(line: str) -> bool:
    return bool(_RULER.fullmatch(line))


def _body(lines: list[str], first: int) -> list[str]:
    body: list[str] = []
    for line in lines[first:]:
        if not line.strip() or (_is_ruler(line) and "--" in line):
            break
        body.append(line)
    return body


def _runs(line: str, pattern: str) -> list[tuple[int, int]]:
    return [found.span() for found in re.finditer(pattern, line)]


def _find(line: str, titles: Sequence[str]) -> list[tuple[int, int]] | None:
    spans: list[tuple[int, int]] = []
    place = 0
    for title in titles:
        found = re.compile(rf"(?<!\S){re.escape(title.strip())}(?!\S)").search(line, place)
        if found is None:
            return None
        spans.append(found.span())
        place = found.end()
    return spans


def _titles_of(line: str, titles: Sequence[str] | None, gap: int) -> list[tuple[int, int]]:
    spans = _find(line, titles) if titles is not None else None
    if spans is None:
        spans = _runs(line, rf"\S+(?: {{1,{gap - 1}}}\S+)*" if gap > 1 else r"\S+")
    if len(spans) > _MOST_COLUMNS:
        raise errors.BadResponse(f"The array's table has {len(spans)} columns; no more than {_MOST_COLUMNS} are read.")
    return spans


def _cuts(head: str, spans: list[tuple[int, int]], body: list[str]) -> list[int]:
    """Where columns begin: in the blanks that all lines share between two titles."""
    width = max(map(len, [head, *body]))
    inked = bytearray(width)
    for line in [head, *body]:
        for found in re.finditer(r"\S+", line):
            inked[found.start() : found.end()] = b"\x01" * (found.end() - found.start())
    rivers = [found.span() for found in re.finditer(rb"\x00+", bytes(inked))]
    cuts = [0]
    for (left, end), (start, right) in pairwise(spans):
        near = [(first, last) for first, last in rivers if first < start and last > end and first >= left]
        if not near:
            title, next_title = head[left:end], head[start:right]
            raise errors.BadResponse(
                f"The columns {shortened(title)!r} and {shortened(next_title)!r} of the array's table can't be told"
                " apart: no blanks are common to all lines.",
                left=shortened(title),
                right=shortened(next_title),
            )
        # The widest; of equal ones the last, as long cells of the left column are the usual reason for several.
        cuts.append(max(near, key=lambda river: (river[1] - river[0], river[0]))[1])
    return cuts


def _cells(line: str, cuts: list[int]) -> list[str]:
    ends = [*cuts[1:], None]
    # What stands left of a ruler's first dash belongs to the first cell.
    starts = [0, *cuts[1:]]
    return [line[start:end].strip(" |") for start, end in zip(starts, ends, strict=True)]


def _unique(names: Sequence[str]) -> list[str]:
    keys: list[str] = []
    for name in names:
        shown = re.sub(r"\s+", " ", name.strip(" |"))
        key, count = shown, 1
        while key in keys:
            count += 1
            key = f"{shown}_{count}"
        keys.append(key)
    return keys
