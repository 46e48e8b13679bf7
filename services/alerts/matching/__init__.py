"""Which array sent a trap.

Matched is by exact address: a set of addresses for each array, from its SNMP configuration, its access info, its driver
and its controllers. `address` says what an address is, `names` resolves names, `sources` puts an array's addresses
together, `table` finds the array of a notification and judges its community or user.
"""
