"""What the tables of the telemetry service are registered with."""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData()
