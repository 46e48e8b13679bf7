"""Recordings of an array's traffic, in which everything private is replaced. See docs/recording.md."""
