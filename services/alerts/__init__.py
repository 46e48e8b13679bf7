"""The alerts service: traps received and arrays polled become alerts, which are kept, watched and delivered.

It is a process of its own with a store of its own. It reaches arrays and the inventory through a core's gRPC address,
like any other client. Where to look:

- `process`: how the parts belong together
- `schema`: the tables
"""
