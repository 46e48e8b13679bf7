"""What the options before the command say."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from google.protobuf.message import Message


@dataclass(frozen=True, kw_only=True)
class Settings:
    server: str
    token_file: str | None
    tls: bool
    tls_ca: str | None
    plaintext: bool
    timeout: float  # seconds
    output: str  # "table" or "json"

    @property
    def json(self) -> bool:
        return self.output == "json"

    def token(self) -> str | None:
        """The bearer token from --token-file or DELPHIS_TOKEN; None without either."""
        if self.token_file is None:
            return os.environ.get("DELPHIS_TOKEN", "").strip() or None
        token = Path(self.token_file).read_text(encoding="utf-8").strip()
        if not token:
            raise click.UsageError(f"--token-file: {self.token_file} is empty")
        return token

    def show(self, message: Message) -> bool:
        """Print `message` if JSON was asked for; say whether that was so."""
        if self.json:
            from delphis.cli.output import print_json

            print_json(message)
        return self.json
