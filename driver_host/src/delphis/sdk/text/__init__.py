"""Reads what command lines of arrays print: blocks of keys and values, tables, delimited lines, XML, times, names.

    from delphis.sdk.text import key_values, column_table

    key_values("Serial number : 4711\\nModel         : B2\\n")["Model"]        # "B2"
    column_table("Id  Name    Size\\n--  ------  ----\\n 1  first   10GB\\n")  # [{"Id": "1", "Name": "first", …}]

All functions take text and return plain strings, dicts and lists; `delphis.sdk.units` turns the strings into figures.
Text that can't be read raises `errors.BadResponse`, which says what was found, and no other error.
"""

from delphis.sdk.text.blocks import Section, key_values, pairs, records, sections
from delphis.sdk.text.delimited import delimited
from delphis.sdk.text.identifiers import mac, said, wwn
from delphis.sdk.text.markup import Markup, xml_values
from delphis.sdk.text.tables import column_table, spaced_table
from delphis.sdk.text.terminal import rendered
from delphis.sdk.text.times import duration, timestamp

__all__ = [
    "Markup",
    "Section",
    "column_table",
    "delimited",
    "duration",
    "key_values",
    "mac",
    "pairs",
    "records",
    "rendered",
    "said",
    "sections",
    "spaced_table",
    "timestamp",
    "wwn",
    "xml_values",
]
