"""Kinds of resources: as such drivers spell them in metrics and alerts, and as the contract does."""

from __future__ import annotations

from functools import cache

from delphis.delfin import words

_MEASURED = {
    "storage": "storage",
    "storagePool": "storage_pool",
    "volume": "volume",
    "controller": "controller",
    "port": "port",
    "disk": "disk",
    "filesystem": "filesystem",
    "share": "share",
}
_ALL = (
    *_MEASURED.values(),
    *("qtree", "quota", "storage_host", "storage_host_initiator", "storage_host_group", "port_group", "volume_group"),
    "masking_view",
)
_BY_WORD = {
    **{words.plain(kind): kind for kind in _ALL},
    "array": "storage",
    "drive": "disk",
    "fs": "filesystem",
    "host": "storage_host",
    "initiator": "storage_host_initiator",
    "lun": "volume",
    "node": "controller",
    "pool": "storage_pool",
    "storagesystem": "storage",
}
_TO_DELFIN = {kind: word for word, kind in _MEASURED.items()}


@cache
def kind_of(word: str) -> str | None:
    """The kind for a word of a driver: `storagePool`, `Storage`; None where it is none."""
    return _BY_WORD.get(words.plain(word))


def word_of(kind: str) -> str:
    """The word with which drivers name a kind that is measured."""
    return _TO_DELFIN.get(kind, kind)
