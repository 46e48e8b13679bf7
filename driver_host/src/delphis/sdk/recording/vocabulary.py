"""Which names of fields, columns and headers stand before what is private."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORDS = re.compile(r"[^A-Za-z0-9]+")

_SECRET_WORDS = frozenset(
    (
        *(
            "password",
            "passwd",
            "passphrase",
            "pwd",
            "secret",
            "token",
            "apitoken",
            "apikey",
            "credential",
            "credentials",
        ),
        *("credentials", "cookie", "jsessionid", "csrf", "authorization", "authentication", "ibasetoken", "community"),
    )
)
_SECRET_NAMES = frozenset(
    (
        *(
            "api key",
            "private key",
            "access key",
            "session",
            "session id",
            "session key",
            "sessionid",
            "sessionkey",
            "sid",
        ),
        *("sid", "x auth key", "auth key", "encryption key", "privatekey", "auth", "auth password", "priv password"),
    )
)
_SERIAL_NAMES = frozenset(("sn", "esn", "service tag", "servicetag", "symmetrix id", "asset tag", "part serial"))
_SERIAL_ENDS = frozenset(("serial", "number", "num", "no", "nr", "sn", "id", "#"))
_WWN_WORDS = frozenset(("wwn", "wwpn", "wwnn", "wwid", "wwns", "wwpns", "naa", "eui"))
_HOST_NAMES = frozenset(
    (
        *("host name", "hostname", "fqdn", "dns name", "dnsname", "server name", "computer name", "domain name"),
        *("array name", "system name", "storage system name", "cluster name", "node name", "nodename"),
    )
)
_USER_NAMES = frozenset(("user", "username", "user name", "login", "login name", "userid", "user id", "loginname"))
_VERSION_WORDS = frozenset(
    (
        *(
            "version",
            "versions",
            "firmware",
            "fw",
            "release",
            "revision",
            "rev",
            "build",
            "oid",
            "level",
            "code",
            "patch",
        ),
        *("patch", "netmask", "mask", "microcode", "schema", "xmlns", "ver"),
    )
)


class Kind(Enum):
    """What a value is."""

    SECRET = "secret"
    SERIAL = "serial"
    WWN = "wwn"
    HOST = "host"
    USER = "user"
    VERSION = "version"
    """Looks like an address, and is none."""


@lru_cache(maxsize=16384)
def kind_of(key: str) -> Kind | None:
    """What a field of this name holds; None: nothing that the name gives away."""
    words = _WORDS.sub(" ", _CAMEL.sub(" ", key)).lower().split()
    name = " ".join(words)
    if not words or len(name) > 80:
        return None
    if name in _SECRET_NAMES or (_SECRET_WORDS & set(words) and words[-1] not in ("expires", "timeout", "type")):
        return Kind.SECRET
    if name in _SERIAL_NAMES or "serialnumber" in words or ("serial" in words and words[-1] in _SERIAL_ENDS):
        return Kind.SERIAL
    if _WWN_WORDS & set(words):
        return Kind.WWN
    if _VERSION_WORDS & set(words):
        return Kind.VERSION
    if name in _HOST_NAMES:
        return Kind.HOST
    return Kind.USER if name in _USER_NAMES else None
