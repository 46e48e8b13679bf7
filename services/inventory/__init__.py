"""The inventory: which arrays there are, how they are reached, what they hold, and what changed.

`service` puts it together. `storages` are the arrays, `access` how they are reached, `vault` keeps that secret; `jobs`
runs what goes on after a call; `kinds` names the kinds of resources, `sync` brings them in; `resources`, `relations`
and `changes` show them; `listing` is what all lists have in common.
"""
