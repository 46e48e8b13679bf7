"""Which drivers exist, and the processes that serve them.

`manifest`, `discovery` and `catalogue` say which driver serves a vendor and model; `supervisor` keeps the hosts of all
drivers, `driver_hosts` those of one, `slot` one host over its deaths, `spawned_host` and `endpoint_host` are a host;
`suspects` and `probation` keep an array that kills its host away from the others; `service` shows it all to operators.
"""
