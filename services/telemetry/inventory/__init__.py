"""What telemetry needs of the inventory: names of resources, and capacities, read again when a sync has ended.

- `listing`: the resources of an array, from the core
- `capacity`: capacities as points
- `follower`: reads both when a sync has ended, and remembers the names
"""
