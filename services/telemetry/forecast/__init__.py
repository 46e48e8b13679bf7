"""When arrays and pools will be full.

- `days`: how full they were, day by day, for two years
- `trend`: from days to a date, with its uncertainty
"""
