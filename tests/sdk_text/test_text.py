"""Blocks, tables, delimited lines, XML, terminals, names: what is printed is read, and garbage fails in one way."""

from __future__ import annotations

import contextlib
import csv
import io
import time
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from delphis.sdk import errors, text

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "vendors"
WORDS = st.text("abcXYZ019%_-", min_size=1, max_size=9).filter(lambda word: not set(word) <= set("-_="))
PHRASES = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)


def test_blocks() -> None:
    printed = "Name :  first\nPath= /a:b\nDescription: long\n      and longer\nEmpty:\nA title\n\nName: second\n"
    printed = printed.replace("\n", "\r\n")
    assert text.pairs(printed) == [
        ("Name", "first"),
        ("Path", "/a:b"),
        ("Description", "long and longer"),
        ("Empty", ""),
        ("Name", "second"),
    ]
    assert [record["Name"] for record in text.records(printed)] == ["first", "second"]
    assert text.records("x: 1\nName: a\nSize: 1\nName: b\nSize: 2", first_key="Name") == [
        {"Name": "a", "Size": "1"},
        {"Name": "b", "Size": "2"},
    ]
    with pytest.raises(errors.BadResponse, match="'Name' twice"):
        text.key_values(printed)
    assert text.key_values(printed, repeated="first")["Name"] == "first"
    assert text.key_values(printed, repeated="last")["Name"] == "second"


def test_sections() -> None:
    tree = text.sections(
        "Model: B2\nPool 1:\n  Size: 5\n  Disks:\n    a: ok\n    b: failed\nPool 2\n  Size: 6\nEnd: 1\n"
    )
    assert tree.values == {"Model": "B2", "End": "1"}
    assert [section.title for section in tree.sections] == ["Pool 1", "Pool 2"]
    assert tree.named("Pool 1")[0].named("Disks")[0].values == {"a": "ok", "b": "failed"}


def test_tables_under_rulers_and_without() -> None:
    ruled = "\nPools\n  Id Name        Size\n---- -------- -------\n   1 first      10 GB\n  22 the 2nd\n"
    ruled += "---- -------- -------\n   2 total\n"
    assert text.column_table(ruled) == [
        {"Id": "1", "Name": "first", "Size": "10 GB"},
        {"Id": "22", "Name": "the 2nd", "Size": ""},
    ]
    plain = "Id   Full Name     Total  Total\n1    a b           5      6\n100                55     7\n"
    assert text.column_table(plain) == [
        {"Id": "1", "Full Name": "a b", "Total": "5", "Total_2": "6"},
        {"Id": "100", "Full Name": "", "Total": "55", "Total_2": "7"},
    ]
    wrapped = "Name   Description\nfirst  a long\n       text\nnext   short\n"
    assert text.column_table(wrapped, wrapped=True)[0] == {"Name": "first", "Description": "a long text"}
    assert text.column_table(
        "# noise\nN:S:P Mode   State\n0:0:1 target ready\n", titles=["N:S:P", "Mode", "State"]
    ) == [{"N:S:P": "0:0:1", "Mode": "target", "State": "ready"}]
    with pytest.raises(errors.BadResponse, match="can't be told apart"):
        text.column_table("A  B\nxxxxxxx\n")
    with pytest.raises(errors.BadResponse, match="titles Id, Size"):
        text.column_table("Name\nfirst", titles=["Id", "Size"])
    assert text.spaced_table("A  B\nlonger than  title\n") == [{"A": "longer than", "B": "title"}]
    with pytest.raises(errors.BadResponse, match="2 titles, and a line of 3"):
        text.spaced_table("A  B\n1  2  3\n")


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 5).flatmap(
        lambda width: st.tuples(
            st.lists(PHRASES, min_size=width, max_size=width, unique=True),
            st.lists(st.lists(PHRASES | st.just(""), min_size=width, max_size=width), max_size=5),
            st.lists(st.booleans(), min_size=width, max_size=width),
            st.booleans(),
        )
    )
)
def test_tables_are_read_again(drawn: tuple[list[str], list[list[str]], list[bool], bool]) -> None:
    titles, rows, right, ruled = drawn
    rows = [row for row in rows if any(row)]
    widths = [max(2, *(len(line[place]) for line in [titles, *rows])) for place in range(len(titles))]

    def line(cells: list[str]) -> str:
        placed = zip(cells, widths, right, strict=True)
        return "   ".join(
            cell.rjust(width) if at_right else cell.ljust(width) for cell, width, at_right in placed
        ).rstrip()

    printed = [line(titles), *(["   ".join("-" * width for width in widths)] if ruled else []), *map(line, rows)]
    found = text.column_table("\n".join(printed), titles=None if ruled and len(titles) > 1 else titles)
    assert found == [dict(zip(titles, row, strict=True)) for row in rows]


def test_delimited() -> None:
    quirky = '\ufeff# made by box\r\nid,name,\r\n1, "a, ""b""",\r\n\r\nid,name,\r\n2,c,,\r\n'
    assert text.delimited(quirky, comment="#") == [{"id": "1", "name": 'a, "b"'}, {"id": "2", "name": "c"}]
    assert text.delimited("a:b\n1\n", delimiter=":", pad=True) == [{"a": "1", "b": ""}]
    for bad in ("a,b\n1\n", "a,b\n1,2,3\n", "a,a\n", 'a\n"open\n', "a\n" + "x" * 200_000):
        with pytest.raises(errors.BadResponse):
            text.delimited(bad)
    with pytest.raises(ValueError, match="delimiter"):
        text.delimited("a", delimiter="::")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(PHRASES, st.text("ab,\"'; \n", max_size=6).map(str.strip)), max_size=5))
def test_csv_is_read_again(rows: list[tuple[str, str]]) -> None:
    written = io.StringIO()
    csv.writer(written).writerows([("first title", "second title"), *rows])
    expected = [{"first title": one, "second title": other} for one, other in rows]
    assert text.delimited(written.getvalue()) == expected


def test_xml() -> None:
    document = '<?xml version="1.0"?><R xmlns:s="u"><s:o id="1">x<p>1</p><p>2</p></s:o><e/><l>a</l></R>'
    assert text.xml_values(document, lists=["l"]) == {
        "R": {"o": {"@id": "1", "#text": "x", "p": ["1", "2"]}, "e": "", "l": ["a"]}
    }
    assert "s:o" in text.xml_values(document.encode(), prefixes=True)["R"]
    bomb = '<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><r>&b;</r>'
    outside = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>'
    for bad in (
        bomb,
        outside,
        "",
        "<a>",
        "<a></b>",
        "no xml",
        "<a>&u;</a>",
        "<a>" * 300,
        b'<?xml version="1.0" encoding="x"?><a/>',
    ):
        with pytest.raises(errors.BadResponse, match="XML"):
            text.xml_values(bad)
    with pytest.raises(errors.BadResponse, match="more than 10 are read"):
        text.xml_values("<a>xxxxxxxx</a>", most_bytes=10)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,5}", fullmatch=True), st.lists(PHRASES, min_size=1, max_size=3), min_size=1)
)
def test_xml_is_read_again(content: dict[str, list[str]]) -> None:
    inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, values in content.items() for value in values)
    assert text.xml_values(f"<root>{inside}</root>", lists=list(content)) == {"root": content}


def test_terminal() -> None:
    assert text.rendered("\x1b[1;32mok\x1b[0m\r\n") == "ok\n"
    assert text.rendered("abc\b\bX\x1b[K\r\n--More--\r        \rnext") == "aX\nnext"
    assert text.rendered("\x1b]0;title\x07> ls\x1b[3Dx") == ">xls"


def test_identifiers() -> None:
    assert text.wwn("50:06:01:60:BE:A0:5E:89") == text.wwn("0x50060160bea05e89") == "50060160bea05e89"
    assert text.wwn("naa.60060160A2104B00C1D25E6120E1C0F4") == "60060160a2104b00c1d25e6120e1c0f4"
    assert text.wwn("IQN.1992-04.com.Acme:Box") == "iqn.1992-04.com.acme:box"
    assert text.mac("0060.16AB.cdef") == "00:60:16:ab:cd:ef"
    assert [text.said(word) for word in ("N/A", "--", " x ", None, "0")] == [None, None, "x", None, "0"]
    for bad in ("", "5006", "50:06:01:60:BE:A0:5E:8", "iqn.", "not a wwn", "５００６０１６０５００６０１６０"):
        with pytest.raises(errors.BadResponse):
            text.wwn(bad)


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=8, max_size=20), st.sampled_from(["", ":", "-", ".", " "]), st.booleans())
def test_wwns_are_read_again(raw: bytes, separator: str, capital: bool) -> None:
    printed = raw.hex(separator) if separator else raw.hex()
    assert text.wwn(printed.upper() if capital else printed) == raw.hex()


READERS: dict[str, Any] = {
    "pairs": text.pairs,
    "key_values": text.key_values,
    "records": text.records,
    "sections": text.sections,
    "column_table": text.column_table,
    "wrapped": lambda printed: text.column_table(printed, gap=1, wrapped=True),
    "spaced_table": text.spaced_table,
    "delimited": text.delimited,
    "unquoted": lambda printed: text.delimited(printed, delimiter=":", quoted=False, pad=True),
    "xml": text.xml_values,
    "rendered": text.rendered,
    "wwn": text.wwn,
    "mac": text.mac,
}


def read_or_refuse(name: str, printed: str) -> None:
    try:
        READERS[name](printed)
    except errors.BadResponse as error:
        said = str(error)
    else:
        said = ""
    assert len(said) < 1000


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=40, deadline=None)
@given(printed=st.text(max_size=80) | st.text('ab:= -\n\t,"<>/&\x1b[\r\b3K', max_size=80))
@example(printed="\ud800")
@example(printed="<a>\x00</a>")
def test_garbage_raises_one_error(name: str, printed: str) -> None:
    read_or_refuse(name, printed)


@pytest.mark.parametrize("name", READERS)
def test_long_texts_take_no_long_time(name: str) -> None:
    for line in ("a: b\n", " " * 1000 + "x\n", "- " * 500 + "\n", "\x1b[" + "1;" * 400 + "\n", "a" * 4000):
        began = time.process_time()
        with contextlib.suppress(errors.BadResponse):
            READERS[name]((line * (100_000 // len(line)))[:100_000])
        assert time.process_time() - began < 5.0, repr(line[:20])


def sample(name: str) -> str:
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"no samples of vendors at {SAMPLES}")
    return path.read_text(encoding="utf-8", errors="replace")


def test_samples_of_vendors() -> None:
    assert text.xml_values(sample("hpe_msa/samples/show_disks.xml"), lists=["OBJECT"])["RESPONSE"]
    nodes = text.delimited(
        sample("ibm_storwize_svc/samples/lsnodehw_delim_2.txt"), delimiter=",", titles=["key", "value"]
    )
    assert nodes[0] == {"key": "id", "value": "2"}
    agent = text.key_values(sample("dellemc_vnx_block/samples/getagent.txt"), repeated="first")
    assert agent["Serial No"]


def test_no_sample_of_vendors_breaks_a_reader() -> None:
    if not SAMPLES.exists():
        pytest.skip(f"no samples of vendors at {SAMPLES}")
    found = [path for suffix in ("txt", "csv", "xml") for path in sorted(SAMPLES.glob(f"*/samples/*.{suffix}"))]
    assert found
    for path in found:
        printed = path.read_text(encoding="utf-8", errors="replace")[:20_000]
        for name in READERS:
            read_or_refuse(name, printed)
