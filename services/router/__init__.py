"""StorageDriver as the inventory serves it: a call that names a storage goes on to the host of the storage's driver.

`target` reads and replaces the field that says which storage, `router` relays, `failures` says what went wrong,
`service` is the way in for callers.
"""
