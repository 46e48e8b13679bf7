"""Where points go beside the history and `/metrics`: each place takes them from the journal, at its own pace.

- `sinks`: all of them; `sender`: one, with its position in the journal; `bounds`: what waits too long, or is too much
- `remote_write`, `wire`: Prometheus remote write 1.0; `kafka`, `delfin_json`, `points`: Kafka
- `load`: an entry with what labels say of it
- `records`, `checks`, `secrets`: what a sink is
"""
