"""Servers that the operator gave names to, in a file that only he can read."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from delphis.cli.failures import WrongSettings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, kw_only=True)
class Context:
    """A server and how it is spoken to. What is None has its usual default."""

    server: str
    tls: bool | None = None
    tls_ca: str | None = None
    tls_server_name: str | None = None
    plaintext: bool | None = None
    token: str | None = field(default=None, repr=False)
    token_file: str | None = None
    timeout: float | None = None
    output: str | None = None

    def shown(self) -> dict[str, Any]:
        """What is set, the token left out."""
        said = {name: value for name, value in asdict(self).items() if value is not None and name != "token"}
        if self.token is not None:
            said["token"] = "kept in this file"
        return said


@dataclass(frozen=True, kw_only=True)
class Contexts:
    """All contexts, and the name of the one in use."""

    named: dict[str, Context]
    current: str | None = None

    def get(self, name: str) -> Context:
        """The context; WrongSettings where there is none."""
        if (found := self.named.get(name)) is None:
            known = ", ".join(sorted(self.named)) or "none"
            raise WrongSettings(f"there is no context {name!r} in {path()}; there are: {known}")
        return found


def path() -> Path:
    """Where contexts are kept."""
    home = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(home) / "delphis" / "contexts.json"


def check_name(name: str) -> str:
    """The name; WrongSettings unless it can be a context's."""
    if not _NAME.fullmatch(name):
        raise WrongSettings(f"{name!r} is no name for a context: use up to 63 letters, digits and `._-`")
    return name


def load() -> Contexts:
    """The contexts; none where there is no file. WrongSettings where the file can't be used."""
    file = path()
    try:
        with file.open(encoding="utf-8") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            content = json.load(opened)
    except FileNotFoundError:
        return Contexts(named={})
    except OSError as error:
        raise WrongSettings(f"{file} can't be read: {error.strerror}") from None
    except ValueError:
        # JSON's own message may quote the file, and with it a token.
        raise WrongSettings(f"{file} is no JSON; mend or remove it") from None
    found = _contexts(content, file)
    if stat.S_IMODE(mode) & 0o077 and any(context.token for context in found.named.values()):
        raise WrongSettings(f"{file} holds a token and others may read it: chmod 600 {file}, and make a new token")
    return found


def save(contexts: Contexts) -> None:
    """Replaces the file at once, readable for its owner alone."""
    file = path()
    content = {
        "current": contexts.current,
        "contexts": {
            name: {key: value for key, value in asdict(context).items() if value is not None}
            for name, context in sorted(contexts.named.items())
        },
    }
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes files that nobody else can read.
        with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=".contexts-", delete=False) as new:
            try:
                json.dump(content, new, indent=2)
                new.write("\n")
                new.flush()
                os.replace(new.name, file)
            except BaseException:
                os.unlink(new.name)
                raise
    except OSError as error:
        raise WrongSettings(f"{file} can't be written: {error.strerror}") from None


def _contexts(content: Any, file: Path) -> Contexts:
    types = {entry.name: entry.type for entry in fields(Context)}
    try:
        named: dict[str, Context] = {}
        for name, values in content["contexts"].items():
            unknown = values.keys() - types.keys()
            if unknown:
                raise WrongSettings(f"{file}: context {name!r} has the unknown keys {', '.join(sorted(unknown))}")
            for key, value in values.items():
                _check(key, value)
            named[name] = Context(**values)
        current = content.get("current")
        return Contexts(named=named, current=current if current in named else None)
    except (TypeError, KeyError, AttributeError):
        raise WrongSettings(f"{file} is not as `delphis context set` writes it; mend or remove it") from None


def _check(key: str, value: Any) -> None:
    wanted: tuple[type, ...] = (str,)
    if key in {"tls", "plaintext"}:
        wanted = (bool,)
    elif key == "timeout":
        wanted = (int, float)
    if not isinstance(value, wanted):
        raise TypeError(key)
