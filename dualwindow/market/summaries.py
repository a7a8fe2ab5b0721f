"""Sum a window of candles up in a few numbers: how far, how fast, which way, and when.

Whether a barrier is touched depends above all on volatility, and the range of candles tells it
better than their closes (M. Parkinson, "The Extreme Value Method for Estimating the Variance of the
Rate of Return", Journal of Business 1980). Means over several spans follow F. Corsi, "A Simple
Approximate Long-Memory Model of Realized Volatility", Journal of Financial Econometrics 2009;
downward moves by themselves, O. Barndorff-Nielsen, S. Kinnebrock and N. Shephard, "Measuring
Downside Risk: Realised Semivariance", 2008. No number has a unit, so those of one pair can be
compared with another's.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.candles import Candles

_LEAST_RANGE = 1e-6  # of candles that have not moved at all, whose logarithm would be infinite
_LEAST_SQUARE = _LEAST_RANGE**2
_DAY, _WEEK = 86400, 7 * 86400
_SATURDAY = 2 * _DAY  # of the week that begins with 1970-01-01, a Thursday
_CHUNK = 1 << 13  # windows at a time: 12 MB of each kind of 180 candles


def mean_log_ranges(candles: Candles, ends: IntArray, spans: tuple[int, ...]) -> FloatArray:
    """Take the logarithm of the mean of log(high / low) over the last candles.

    Parameters
    ----------
    candles : n candles
    ends : (m,) rows, each at least ``max(spans) - 1``; row *t* looks at ``t-span+1 .. t``
    spans : candles, s of them

    Returns
    -------
    (m, s) float64; NaN where a price is unknown. Each mean is summed anew from its own candles, so
    it does not depend on where the candles begin: live and backtest agree.
    """
    ranges, found = _log_ranges(candles), np.empty((len(ends), len(spans)))
    for part in _chunks(len(ends)):
        for column, span in enumerate(spans):
            found[part, column] = _windows(ranges, ends[part], span).mean(axis=1)
    return np.log(np.maximum(found, _LEAST_RANGE))


def closes_to_means(candles: Candles, ends: IntArray, spans: tuple[int, ...]) -> FloatArray:
    """Compute how far the close lies above the mean of the last ones, as a fraction of it.

    Parameters and return value as for `mean_log_ranges`.
    """
    closes = np.where(candles.priced, candles.close, np.nan)
    found = np.empty((len(ends), len(spans)))
    for part in _chunks(len(ends)):
        for column, span in enumerate(spans):
            means = _windows(closes, ends[part], span).mean(axis=1)
            found[part, column] = closes[ends[part]] / means - 1
    return found


def running_log_ranges(candles: Candles, spans: tuple[int, ...]) -> FloatArray:
    """Compute what `mean_log_ranges` does for every row, from running sums.

    Made for many rows: it is the same but for rounding, which depends on where the candles begin.

    Returns
    -------
    (n, s) float64; NaN where a price that is looked at is unknown, or lies before the first candle
    """
    ranges = _log_ranges(candles)
    found = np.stack([_running_mean(ranges, span) for span in spans], axis=1)
    return np.log(np.maximum(found, _LEAST_RANGE))


def running_closes_to_means(candles: Candles, spans: tuple[int, ...]) -> FloatArray:
    """Compute what `closes_to_means` does for every row, as `running_log_ranges` does."""
    closes = np.where(candles.priced, candles.close, np.nan)
    return np.stack([closes / _running_mean(closes, span) - 1 for span in spans], axis=1)


def _running_mean(values: FloatArray, span: int) -> FloatArray:
    """Average the last `span` values up to each: (n,), NaN where any is, or there are fewer."""
    unknown = np.isnan(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(unknown, 0.0, values))])
    lost = np.concatenate([[0], np.cumsum(unknown)])
    means = np.full(len(values), np.nan)
    if len(values) >= span:
        means[span - 1 :] = np.where(
            lost[span:] == lost[:-span], (sums[span:] - sums[:-span]) / span, np.nan
        )
    return means


def summary_names(spans: tuple[int, ...]) -> tuple[str, ...]:
    """Name the columns of `summaries`, in order."""
    per_span = [f"{what}_{span}" for span in spans for what in _PER_SPAN]
    per_shorter = [f"volume_{span}_to_{max(spans)}" for span in spans if span < max(spans)]
    return (*per_span, *per_shorter, *_TIMES)


_PER_SPAN = ("range", "volatility", "return")
_TIMES = ("day_sine", "day_cosine", "half_day_sine", "half_day_cosine", "weekend")


def summaries(candles: Candles, ends: IntArray, spans: tuple[int, ...]) -> FloatArray:
    """Sum up the windows that end at the given rows.

    Over each span: the logarithm of the mean range, the logarithm of the root mean square of the
    returns from candle to candle, and the return from the first close to the last in units of what
    such returns add up to by chance. Over each shorter span, the logarithm of its mean volume
    against that of the longest. At last the time of the day in two harmonics (UTC), and whether
    it is Saturday or Sunday.

    Parameters
    ----------
    candles : n candles
    ends : (m,) rows, each at least ``max(spans) - 1``; row *t* looks at ``t-span+1 .. t``
    spans : candles, s of them, at least 2 each, no two alike

    Returns
    -------
    (m, 4 * s + 4) float64 in the order of `summary_names`; NaN where a price or a volume that is
    looked at is unknown: not finite, a price not positive, a volume negative. Ranges and returns
    count as 1e-6 at least, a part of the volume as a thousandth of the whole. Each number is
    computed anew from its own candles, so it does not depend on where the candles begin: live and
    backtest agree.
    """
    series = _Series(
        _log_ranges(candles),
        np.log(np.where(candles.priced, candles.close, np.nan)),
        np.where(candles.measured, candles.volume, np.nan),
    )
    parts = [
        np.stack([*_sums(series, ends[part], spans), *_times(candles.date[ends[part]])], axis=1)
        for part in _chunks(len(ends))
    ]
    return np.concatenate([np.empty((0, len(summary_names(spans)))), *parts])


class _Series(NamedTuple):
    """What is summed up, of all candles; NaN where it is unknown."""

    log_range: FloatArray
    log_close: FloatArray
    volume: FloatArray


def _sums(series: _Series, ends: IntArray, spans: tuple[int, ...]) -> list[FloatArray]:
    longest = max(spans)
    ranges, closes, volumes = (_windows(values, ends, longest) for values in series)
    squares = np.square(np.diff(closes, axis=1))
    columns = []
    for span in spans:
        variance = squares[:, longest - span :].mean(axis=1)
        moved = closes[:, -1] - closes[:, -span]
        columns += [
            np.log(np.maximum(ranges[:, -span:].mean(axis=1), _LEAST_RANGE)),
            0.5 * np.log(np.maximum(variance, _LEAST_SQUARE)),
            moved / np.sqrt((span - 1) * np.maximum(variance, _LEAST_SQUARE)),
        ]
    whole = volumes.mean(axis=1)
    for span in spans:
        if span < longest:
            columns.append(_log_ratio(volumes[:, -span:].mean(axis=1), whole))
    return columns


def _chunks(n: int) -> list[slice]:
    return [slice(first, first + _CHUNK) for first in range(0, n, _CHUNK)]


def _log_ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Compare volumes; a thousandth of the whole is as low as a part counts, nothing is alike."""
    share = np.divide(part, whole, out=np.ones(len(whole)), where=whole != 0)
    return np.log(np.maximum(share, 1e-3))


def _times(date: IntArray) -> list[FloatArray]:
    angle = 2 * np.pi * (date % _DAY) / _DAY
    harmonics = [f(n * angle) for n in (1, 2) for f in (np.sin, np.cos)]
    since_saturday = (date - _SATURDAY) % _WEEK
    return [*harmonics, (since_saturday < 2 * _DAY).astype(np.float64)]


def _log_ranges(candles: Candles) -> FloatArray:
    priced = candles.priced
    ratio = np.divide(candles.high, candles.low, out=np.full(len(priced), np.nan), where=priced)
    return np.log(ratio)


def _windows(values: FloatArray, ends: IntArray, length: int) -> FloatArray:
    """Copy the last values up to each end: (m, length)."""
    return sliding_window_view(values, length)[ends - (length - 1)]
