"""The SNMP configurations of storages: what their traps are protected by, and whether they answer over SNMP.

`merging` checks and merges what an operator gives, `records` keeps it with its secrets encrypted, `configs` is the view
of all of them, `receivers` tells arrays where to send their traps, `probe` and `checks` ask whether they answer, and
`handlers` serves SnmpConfigService.
"""
