"""What we send to others: over HTTP and Kafka, with limits, and without giving secrets away.

- `http_client`: POSTs, and what their answers mean
- `kafka`: messages that all replicas have
- `backoff`: when to try again
- `checks`: what addresses, headers, certificates may be
- `errors`: `Unavailable` may take it later, `Refused` never
"""
