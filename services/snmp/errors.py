"""The one way in which a datagram is refused."""

from __future__ import annotations

import enum


class Reason(enum.StrEnum):
    """Why a datagram is refused: what the counters are named by."""

    MALFORMED = "malformed"
    """It isn't BER, or not the message it says it is."""
    TRUNCATED = "truncated"
    """It ends before its own lengths do."""
    OVERSIZED = "oversized"
    """It, or an identifier in it, is longer than SNMP allows."""
    UNSUPPORTED_VERSION = "unsupported_version"
    """Neither SNMPv1, SNMPv2c nor SNMPv3 with USM."""
    UNSUPPORTED_PDU = "unsupported_pdu"
    """A message, but no notification: a request, a response, a report."""
    NOT_ALLOWED = "not_allowed"
    """An inform whose community or user isn't one of the array's that it came from: it stays without an answer."""
    UNKNOWN_ENGINE = "unknown_engine"
    """An inform that doesn't name our engine: the sender is told our engine id and asks again."""
    UNKNOWN_USER = "unknown_user"
    """No user of that name is configured for that engine."""
    UNSUPPORTED_SECURITY_LEVEL = "unsupported_security_level"
    """The user is known, but has to send with another level: keys are missing, or it came without."""
    WRONG_DIGEST = "wrong_digest"
    """No key of that user made the digest: another password or another hash."""
    DECRYPTION = "decryption"
    """The digest is right, but what was decrypted is no message: another password or cipher for privacy."""
    NOT_IN_TIME_WINDOW = "not_in_time_window"
    """Too old by the sender's clock: late, replayed, or sent by an agent that lost its count of boots."""
    REPLAYED = "replayed"
    """The same authenticated message once more."""


class SnmpError(Exception):
    """A datagram that is refused. `reason` is for programs, the message for people; neither holds secrets."""

    def __init__(self, reason: Reason, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason


def malformed(problem: str) -> SnmpError:
    """A refusal of what isn't SNMP's BER."""
    return SnmpError(Reason.MALFORMED, problem)


def truncated() -> SnmpError:
    """A refusal of what ends too early."""
    return SnmpError(Reason.TRUNCATED, "a length reaches beyond the end")
