"""The store: SQLite or PostgreSQL behind one small engine.

SQLAlchemy Core describes tables and makes SQL text; the text runs on the raw connections of sqlite3 and psycopg, since
everything in between costs more than the query. Where to look:

- `engine`: opening, reading, scanning, writing
- `statement`, `connection`: prepared SQL and what runs it
- `schema`: what a service says of its tables, and how to add one
- `migrate`, `snapshot`: from nothing, or an older schema, to the present one
- `presence`: which processes write, and that only one does where that is the rule
- `signals`: "something was committed" as a hint, also between processes
"""
