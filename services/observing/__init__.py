"""Observing Delphis itself: what each of its processes counts, and how that is told to Prometheus.

- `family`: numbers of one name
- `process`, `calls`, `store`: what every process has
- `observer`: all sources of a process
- `text`: the formats
- `service`: ProcessService, in the core for all processes
"""
