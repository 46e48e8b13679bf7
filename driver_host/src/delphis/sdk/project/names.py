"""What a new project and its parts are called."""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass

from delphis.sdk.project.errors import ProjectError

_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9._-]*[A-Za-z0-9])?")
LONGEST_NAME = 60
LONGEST_PAIR = 100
# A text that can stand, as it is, in a file of TOML, in the names of entry points, and in a table of Markdown.
_WORD = r"[\w.+/&(),'@!~*#-]+"
_VENDOR = re.compile(rf"\w(?:{_WORD})?")
_MODEL = re.compile(rf"\w(?:{_WORD})?(?: {_WORD})*")
# A package of such a name would hide what the project itself imports.
_TAKEN = sys.stdlib_module_names | {
    *("delphis", "simulator", "tests", "src", "template"),
    *("google", "grpc", "grpc_health", "grpc_reflection", "requests", "urllib3", "paramiko", "cryptography"),
    *("pytest", "pluggy", "yaml", "mypy", "ruff", "hatchling", "pip"),
}


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one project; ProjectError where one can't be used.

    Attributes:
        name: As given: of the folder, and of the distribution after its normalisation.
        vendor: Of the arrays, exactly as operators write it.
        model: Of the arrays, exactly as operators write it.
    """

    name: str
    vendor: str
    model: str

    def __post_init__(self) -> None:
        if len(self.name) > LONGEST_NAME or not _NAME.fullmatch(self.name):
            raise ProjectError(
                f"The name must begin with a letter, end with a letter or digit, and have letters, digits, dots, dashes"
                f" and underscores of ASCII only, at most {LONGEST_NAME}; {self.name!r} does not. Try acme-box."
            )
        if keyword.iskeyword(self.package) or self.package in _TAKEN:
            raise ProjectError(
                f"A project named {self.name!r} would have the Python package {self.package!r}, which is the name of"
                f" something else. Try {self.distribution}-driver."
            )
        _check("vendor", self.vendor, _VENDOR, "no spaces: an entry point's name is vendor, space, model")
        _check("model", self.model, _MODEL, "single spaces inside")

    @property
    def distribution(self) -> str:
        """Of the Python package that pip installs."""
        return re.sub(r"[._-]+", "-", self.name).lower()

    @property
    def package(self) -> str:
        """Of the Python package that is imported."""
        return self.distribution.replace("-", "_")

    @property
    def prefix(self) -> str:
        """What the names of the project's classes begin with."""
        parts = [part for part in self.distribution.split("-") if part != "driver"] or ["my"]
        return "".join(part[:1].upper() + part[1:] for part in parts)

    @property
    def driver_class(self) -> str:
        """The StorageDriver subclass."""
        return f"{self.prefix}Driver"

    @property
    def driver_name(self) -> str:
        """The driver's name in Delphis."""
        return f"com.example.{self.distribution}"


def _check(what: str, text: str, pattern: re.Pattern[str], spaces: str) -> None:
    if len(text) > LONGEST_PAIR or not text.isprintable() or not pattern.fullmatch(text):
        raise ProjectError(
            f"The {what} must begin with a letter or digit and have letters, digits and . + / & ( ) , ' @ ! ~ * # _ -"
            f" only ({spaces}), at most {LONGEST_PAIR} of them; {text!r} does not."
        )
