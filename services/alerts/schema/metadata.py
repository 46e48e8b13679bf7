"""What the tables of the alerts service are registered with."""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData()
