"""REST for any gRPC service, by reflection: the gateway knows no service when it is built.

A request's way: `guard` lets it in, `routes` finds the binding (`bindings`, `template`), `operation` reads it into a
message (`decode`, `query`, `listing`) and writes the answer (`encode`, `wellknown`), `faults` writes what failed.
`backend` keeps what `descriptors` imports from each service; `gateway` joins it all; `server` listens.
"""
