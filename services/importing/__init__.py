"""Takes over the storages of a SODA Delfin installation: reads its database, hands them to a running inventory.

`delphis db import-delfin`. A client of the core like any other: it never opens the core's own store.
"""
