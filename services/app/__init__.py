"""The application: the commands `up`, `serve` and `db`, and how their processes are put together.

`commands` reads the command line into `settings`; `parent` is `delphis up`'s own process; `core` puts inventory,
registry, router and gateway together in one process; `listen`, `datadir`, `process` and `logs` are what they stand on.
"""
