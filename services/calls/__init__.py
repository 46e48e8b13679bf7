"""The call pipeline: what every call to Delphis passes, over gRPC or REST, before and after its handler.

`method` says what can be called, `pipeline` authorises, audits, bounds and counts, `grpc_server` and `invoker` are the
two ways in, `reflection` tells callers what there is, `errors` is what a failed call answers.
"""
