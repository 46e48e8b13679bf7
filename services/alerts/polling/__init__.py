"""Arrays are asked for their alerts again and again, since traps get lost.

`schedule` says when, `records` keeps how it went, `reading` asks one array, `poller` runs it all and serves what
callers want to know of it.

A poll always lists everything that is open: so after a gap, however long, nothing that is still wrong is missed, and
what is over is found to be over.
"""
