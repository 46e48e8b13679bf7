"""What can go wrong with keys and ciphertexts."""

from __future__ import annotations


class VaultError(Exception):
    """The key can't be used. The message says which file, and what to do; nothing was changed."""


class Undecryptable(Exception):
    """A ciphertext that this key doesn't open, or that belongs to something else."""
