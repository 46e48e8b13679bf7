"""What Delphis itself notices, as alerts like any other.

`kinds` says which there are, `conditions` raises each once and clears it once, also over restarts. `sync_watch`,
`capacity`, `driver_watch`, `loss_watch` and `telemetry_watch` (with `filling`) look; the polls and the SNMP checks tell
what they notice themselves.
"""
