"""`delfin.common.config`: the settings that drivers depend on. Of Delfin's services there are none here."""

from __future__ import annotations

import importlib
from typing import Any

from delphis.delfin import delfin_settings

cfg: Any = importlib.import_module("oslo_config.cfg")  # of the driver's environment
CONF = cfg.CONF

delfin_settings.register()
delfin_settings.override()
