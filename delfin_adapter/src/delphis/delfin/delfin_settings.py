"""The settings that Delfin's own modules read when they are imported, and that nobody but its services registers."""

from __future__ import annotations

import contextlib
from typing import Any

CRYPTOR = "delfin_cryptor"
# Tolerant of what is no text: an array's session id may be a number.
OURS = "delphis.delfin.standin.cryptor.Base64"

_registered: list[tuple[Any, str | None]] = []


def _settings() -> Any:
    try:
        from oslo_config import cfg  # type: ignore[import-not-found]
    except ImportError:
        return None
    return cfg


def register() -> None:
    """Registers the two settings that drivers depend on, unless Delfin's services have."""
    cfg = _settings()
    if cfg is None or _registered or CRYPTOR in cfg.CONF:
        return
    for option, group in (
        (cfg.StrOpt(CRYPTOR, default=OURS), None),
        (cfg.StrOpt("ca_path", default=""), "storage_driver"),
    ):
        with contextlib.suppress(cfg.DuplicateOptError):
            cfg.CONF.register_opt(option, group=group)
            _registered.append((option, group))


def make_way() -> None:
    """Takes back what `register` did, for the module that registers all of Delfin's settings."""
    cfg = _settings()
    while cfg is not None and _registered:
        option, group = _registered.pop()
        cfg.CONF.unregister_opt(option, group=group)


def override() -> None:
    """Chooses our cryptor once Delfin's settings are registered."""
    cfg = _settings()
    if cfg is not None and CRYPTOR in cfg.CONF:
        cfg.CONF.set_override(CRYPTOR, OURS)
