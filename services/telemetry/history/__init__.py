"""Our own history: the points of the last 24 hours, for charts.

The numbers of 16 resources over one window are a row, a *chunk*: few rows to write, and little to read for one series.
Where to look:

- `slots`: which place a resource's numbers have
- `chunk`: numbers as bytes
- `recorder`: from windows to rows
- `reader`: from rows to series
"""
