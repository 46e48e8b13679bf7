"""The storages: registered, shown, changed, synced, removed.

`rows` keeps them in the store, `messages` makes answers of rows, `registration`, `settings`, `syncing`, `accepting` and
`removal` are what happens to them, `listing` and `handlers` answer calls.
"""
