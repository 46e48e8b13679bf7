"""Jobs: work that goes on after the call that began it.

`records` keeps them in the store, `queue` runs them, a bounded number at once, `schedule` makes the periodic ones,
`handlers` answers JobService. What a sync does is in `storages.syncing`, what a removal does in `storages.removal`.
"""
