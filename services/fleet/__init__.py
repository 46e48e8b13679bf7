"""The fleet as the core tells it: an up-to-date view of all storages for processes that have none of their own.

`storage` says what is known of each, `listing` asks the core for it, `fleet` keeps it.
"""
