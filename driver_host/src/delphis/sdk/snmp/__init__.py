"""A client for arrays that are asked over SNMP: get, walk and tables; v1, v2c and v3.

    from delphis.sdk.snmp import SnmpAccess, SnmpSession

    session = SnmpSession(SnmpAccess("10.0.0.5", community="public"))
    session.get(context, "1.3.6.1.2.1.1.5.0")[0].text                    # "box"
    for row in session.table(context, "1.3.6.1.2.1.2.2.1", {"name": 2, "speed": 5}):
        row.index, row["name"].text, row["speed"].integer

It needs the extra `snmp` (`pip install 'delphis-driver-sdk[snmp]'`). The library, pysnmp, is loaded with the first
request, not with this package. All calls may be made by several threads at a time.
"""

from delphis.sdk.snmp.access import SnmpAccess
from delphis.sdk.snmp.session import SnmpSession
from delphis.sdk.snmp.variable import Row, Tag, Variable

__all__ = ["Row", "SnmpAccess", "SnmpSession", "Tag", "Variable"]
