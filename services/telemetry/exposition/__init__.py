"""`/metrics`: the newest value of each series, as Prometheus reads it.

- `latest`: the newest values
- `text`: them, written
"""
