"""The sync of resources: from a driver's stream of bytes to rows and changes.

`kind_sync` is the whole of it for one kind. On the way:

- `wire`: batches and items as bytes; `reading`: what is new in a stream, in the event loop; `spool`: keeps it
- `writing`: the transaction; `target`: what it is about; `items`: what came, parsed
- `new_rows`, `changed_rows`: what is written of it; `difference`: changed fields; `body`: the stored bytes
- `rows`: the table's statements
- `removal`: when what is missing is gone; `absent`: what happens to its rows; `tombstones`: ids kept after that
- `members`: who is in a group
- `states`: how the last sync of each kind ended; `cleanup`: deletions outside a sync
"""
