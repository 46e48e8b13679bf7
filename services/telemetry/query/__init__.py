"""QueryMetrics: series of the history, in steps, put together, the top ones.

- `question`: a request that was checked
- `steps`: samples of a longer time become one
- `groups`: series of several resources become one
- `answering`: all of it, from the history
"""
