"""The book: which alerts there are, and what happened to them. Nothing else writes these tables.

All functions take the `Connection` of a `store.write`, so that a caller's own changes are in the same transaction.

- `reports`: what comes in, and the key by which reports are one alert
- `reporting`: traps and what Delphis itself notices: raise, repeat, clear
- `reconciling`: what a poll listed, and what it no longer lists
- `operating`: what operators do: acknowledge, take back, clear; and the end of a storage
- `entries`: the alerts that one transaction changes
- `events`: the log of what happened, by which others follow
- `facts`: the storages as alerts show them
- `settings`: how the service works
- `retention`: forgetting what is over
"""
