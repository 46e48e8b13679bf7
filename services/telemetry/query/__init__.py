"""QueryMetrics: series of the history, in steps, put together, the top ones; and from a database what it lacks.

- `question`: a request that was checked
- `coverage`: which part of it the history has
- `steps`: samples of a longer time become one
- `groups`: series of several resources become one
- `answering`: all of it, from the history and what was read elsewhere
- `queries`: a question from begin to end
- `reading`, `database`, `selectors`: what is asked of the database, and how
"""
