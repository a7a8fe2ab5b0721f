"""Find how far a price goes within a horizon, and when it first touches a level."""

from typing import Any

import numpy as np

from dualwindow.arrays import FloatArray, IntArray


def extreme_ahead(extreme: np.ufunc, values: FloatArray, horizon: int) -> FloatArray:
    """Extreme of ``values[t+1 .. t+horizon]``, by doubling: (n - horizon,)."""
    n = len(values) - horizon
    table, width = values[1:], 1
    while 2 * width <= horizon:
        table = extreme(table[:-width], table[width:])
        width *= 2
    result: FloatArray = extreme(table[:n], table[horizon - width :][:n])
    return result


def rises_of(high: FloatArray, horizon: int) -> "FirstTouch":
    """Find when highs rise to levels; NaN never does."""
    return FirstTouch(np.maximum, np.greater_equal, -np.inf, high, horizon)


def falls_of(low: FloatArray, horizon: int) -> "FirstTouch":
    """Find when lows fall to levels; NaN never does."""
    return FirstTouch(np.minimum, np.less_equal, np.inf, low, horizon)


class FirstTouch:
    """How many candles until a level is first touched, by binary descent over running extremes.

    Table *k* holds the extreme of the ``2**k`` values that start at each row, so a level is found
    in ``log2(horizon)`` look-ups instead of `horizon` comparisons.
    """

    def __init__(
        self,
        extreme: np.ufunc,
        touches: np.ufunc,
        beyond: float,
        values: FloatArray,
        horizon: int,
    ) -> None:
        depth = horizon.bit_length()
        # NaN would spread over a whole block, and blocks reach past the horizon.
        filled = np.where(np.isnan(values), beyond, values)
        table = np.concatenate([filled, np.full(1 << depth, beyond)])
        self._tables: list[Any] = []
        for k in range(depth):
            self._tables.append(table)
            table = extreme(table[: -(1 << k)], table[1 << k :])
        self._touches = touches
        self._first = np.arange(1, len(values) - horizon + 1)

    def __call__(self, level: FloatArray | float) -> IntArray:
        """Candles until the touch, from 1; any number above the horizon means never."""
        position = self._first.copy()
        for k in reversed(range(len(self._tables))):
            missed = ~self._touches(self._tables[k][position], level)
            position += missed.astype(np.int64) << k
        return position - self._first + 1
