"""Recorded candles shown as if their past were now.

A recorded candle appears a whole number of hours after its date, so that hours stay whole: the
minute in which a replay starts shows the recorded minute that is as far into its hour, the first
one at or after the moment asked for. From there on time goes by as it does on the clock.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from dualwindow_sandbox import SandboxError
from dualwindow_sandbox.ohlcv import HOUR
from dualwindow_sandbox.recorded import recorded_venues
from dualwindow_sandbox.venues import Venues

_FOREVER = 1 << 62


def shift_between(asked: int, now: int) -> int:
    """Return the whole hours, in milliseconds, by which recorded times are moved.

    Parameters
    ----------
    asked : milliseconds since 1970 UTC: the recorded moment to start at
    now : milliseconds since 1970 UTC

    Examples
    --------
    >>> now = 1000 * HOUR + 13  # it shows 0 hours and 13 ms, or 7 hours and 13 ms
    >>> [shift_between(asked, now) // HOUR for asked in (0, 13, 14, 7 * HOUR)]
    [1000, 1000, 999, 993]
    """
    return (now - asked) // HOUR * HOUR


def minute_text(moment: int) -> str:
    """Write milliseconds as a minute, ``2024-01-10 00:13``, in UTC."""
    return f"{datetime.fromtimestamp(moment / 1000, UTC):%Y-%m-%d %H:%M}"


def replayed_venues(directory: Path, shift: int, now: int) -> Venues:
    """Read what ``freqtrade -d DIRECTORY`` would read, and serve it `shift` milliseconds later.

    Raises
    ------
    SandboxError
        If not every recorded coin has candles before and after the moment that `now` shows, or
        nothing is recorded, or a file cannot be read.
    """
    venues = recorded_venues(directory, shift)
    spans = [
        market.span(listing.pair, _FOREVER)
        for market in (venues.spot, venues.futures)
        for listing in market.listings
    ]
    first, end = max(start for start, _ in spans), min(stop for _, stop in spans)
    if not first < now < end:
        raise SandboxError(
            f"--replay: {minute_text(now - shift)} UTC is not in the recording, which reaches for "
            f"all coins from {minute_text(first - shift)} to {minute_text(end - shift)}; start "
            "between them"
        )
    return replace(venues, ends=max(stop for _, stop in spans))
