"""A Binance-like exchange on loopback and a seeded synthetic market: everything runs offline."""

from enum import StrEnum


class SandboxError(Exception):
    """Something was asked of the sandbox that it cannot do; the message says what to change."""


class MarketKind(StrEnum):
    """Which synthetic market; `dynamics` says what each one does."""

    PLANTED = "planted"
    RANDOM_WALK = "random-walk"
