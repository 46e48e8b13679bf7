"""`/metrics`: the newest value of each series, as Prometheus reads it.

- `latest`: the newest values
- `labels`: what a series is called
- `formats`: which text format
- `text`: both, written
"""
