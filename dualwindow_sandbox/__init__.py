"""A Binance-like exchange on loopback and a seeded synthetic market: everything runs offline."""

from enum import StrEnum


class SandboxError(Exception):
    """Something was asked of the sandbox that it cannot do; the message says what to change."""


class MarketKind(StrEnum):
    """Which synthetic market; `dynamics` says what each one does."""

    PLANTED = "planted"
    RANDOM_WALK = "random-walk"


class FaultKind(StrEnum):
    """What the exchange does wrong when asked to; `faults` says what each one is."""

    TOO_MANY_REQUESTS = "429"
    UNAVAILABLE = "503"
    TIMEOUT = "timeout"
    DISCONNECT = "disconnect"
    EMPTY = "empty"
    DUPLICATE = "duplicate"
    MISSING = "missing"
    CLOCK = "clock"
