"""`delfin.cryptor`: how passwords are written between host and driver. It hides nothing; both run in one process."""

from __future__ import annotations

import base64


class Base64:
    """Texts in base64, and back. Other values are taken as their texts: some arrays' session ids are numbers."""

    @staticmethod
    def encode(plain_text: object) -> str:
        return base64.b64encode(str(plain_text).encode()).decode("ascii")

    @staticmethod
    def decode(cipher_text: object) -> str:
        return base64.b64decode(str(cipher_text)).decode()


def encode(plain_text: object) -> str:
    """The text, as access info holds it."""
    return Base64.encode(plain_text)


def decode(cipher_text: object) -> str:
    """The text that `encode` was given."""
    return Base64.decode(cipher_text)
