"""The SDK's version. It stands here, not in pyproject.toml: a host that asked its metadata would start 40 ms later."""

VERSION = "0.1.0"
