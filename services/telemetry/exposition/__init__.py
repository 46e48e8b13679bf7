"""`/metrics`: the newest value of each series, as Prometheus reads it.

- `latest`: the newest values; `recall`: them after a start, from the history
- `text`: them, written
"""
