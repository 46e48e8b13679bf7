"""The process that runs a driver: what `python -m delphis.sdk.host` does."""
