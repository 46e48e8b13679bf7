"""Lists: filter, order, pages. The same for all kinds of rows.

`filter` and `order` read what callers write, `spec` says what a list has, `values` and `matching` what texts mean to
the database, `conditions` makes SQL of a filter, `page` runs a list, `merging` one that is put together from several.
"""
