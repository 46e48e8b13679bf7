"""Prometheus' two text formats, and which of them a reader wants."""

from __future__ import annotations

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_OPENMETRICS_TYPE = "application/openmetrics-text"


def negotiated(accept: str) -> str:
    """The format for a header `Accept`."""
    best, best_weight = PROMETHEUS, 0.0
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        format_ = OPENMETRICS if kind == _OPENMETRICS_TYPE else PROMETHEUS if kind in ("text/plain", "text/*") else ""
        if format_ and weight > best_weight:
            best, best_weight = format_, weight
    return best
