"""`delfin.i18n`: texts stay as they are."""

from __future__ import annotations


def _(text: str) -> str:
    return text
