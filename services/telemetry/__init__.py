"""Telemetry: what the arrays measure, collected once and handed on. See docs/architecture.md."""
