"""What the tables of the core's database are registered with."""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData()
