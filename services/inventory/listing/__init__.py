"""Lists: filter, order, pages. The same for all kinds of rows.

`filter` and `order` read what callers write, `spec` says what a list has, `query` makes SQL of both, `page` runs it.
"""
