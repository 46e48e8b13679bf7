"""Prometheus' text formats: what all have in common who write them.

- `formats`: which one a reader wants
- `labels`: what a series is called; texts in both formats
"""
