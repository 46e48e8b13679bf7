"""The checks, by what they look at. `delphis.sdk.conformance.catalogue` knows their order."""
