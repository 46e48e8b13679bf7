"""Which drivers exist, and the processes that serve them.

`manifest`, `discovery` and `catalogue` say which driver serves a vendor and model; `supervisor` keeps the hosts of all
drivers, `driver_hosts` those of one, `slot` one host over its deaths, `spawned_host` is a host; `suspects` and
`probation` keep an array that kills its host away from the others. `lease_service` takes the announcements of hosts
that run elsewhere, `host_table` keeps up with them, `endpoint_slot` with the connection to one, `owners` says which of
them an array belongs to. `service` shows it all to operators.
"""
