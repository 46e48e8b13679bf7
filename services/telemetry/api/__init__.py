"""The handlers of delphis.telemetry.v1: a module for each service."""
