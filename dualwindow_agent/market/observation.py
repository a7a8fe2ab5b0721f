"""What an agent sees when a candle has closed: the market's numbers, and those of its account."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from dualwindow.arrays import FloatArray
from dualwindow.market.summaries import mean_log_ranges
from dualwindow_agent.market.accounts import START, Accounts, Terms
from dualwindow_agent.market.tape import Tape

_DAY = 86400
_SPANS = (15, 60, 180)
N_OWN = 4  # of the account, after those of the market


def names_of(observation: str, n_further: int = 0) -> tuple[str, ...]:
    """Name the columns, in order; `published` has four for each further horizon."""
    if observation == "published":
        further = [
            f"{what}_{i + 2}"
            for i in range(n_further)
            for what in ("class", "confidence", "SHORT", "LONG")
        ]
        market = ["class", "confidence", "SHORT", "HOLD", "LONG", *further]
        own = ("position", "unrealised", "cash", "held")
        return (*market, "close", "change", "volume", "rsi", "macd", *own)
    ranges = [f"range_{span}" for span in _SPANS]
    own = ("is_long", "is_short", "profit", "held")
    return ("SHORT", "HOLD", "LONG", "known", *ranges, "day_sine", "day_cosine", *own)


def market_part(tape: Tape, observation: str) -> FloatArray:
    """Compute the market's numbers of every row: (n, columns) float32.

    Row *t* looks at the candles up to *t* and at the prediction of *t*. A number that is not known,
    for want of a prediction or of candles before, is 0, and `known` says that there is no
    prediction; nothing is entered there.
    """
    made = _published(tape) if observation == "published" else _default(tape)
    return np.nan_to_num(np.stack(made, axis=1), posinf=0, neginf=0).astype(np.float32)


def _default(tape: Tape) -> list[FloatArray]:
    candles = tape.candles
    ranges = np.full((len(tape), len(_SPANS)), np.nan)
    for column, span in enumerate(_SPANS):  # each from where its own candles suffice
        ends = np.arange(span - 1, len(tape))
        ranges[span - 1 :, [column]] = mean_log_ranges(candles, ends, (span,))
    phase = 2 * np.pi * (candles.date % _DAY) / _DAY
    return [
        *tape.probabilities.T,
        tape.valid.astype(np.float64),
        *ranges.T,
        np.sin(phase),
        np.cos(phase),
    ]


def _published(tape: Tape) -> list[FloatArray]:
    """Compute those of a published agent; RSI and MACD as J. W. Wilder and G. Appel have them."""
    close = pd.Series(tape.candles.close)
    change = close.diff()
    rise, fall = (
        part.clip(lower=0).ewm(alpha=1 / 14, adjust=False).mean() for part in (change, -change)
    )
    macd = close.ewm(span=12, adjust=False).mean() - close.ewm(span=26, adjust=False).mean()
    columns = [*_of_horizon(tape.probabilities), *tape.probabilities.T]
    for each in tape.further:
        columns += [*_of_horizon(each), each[:, 0], each[:, 2]]
    rsi = (100 * rise / (rise + fall).where(rise + fall > 0)).fillna(50.0)
    series = (close, close.pct_change(), pd.Series(tape.candles.volume), rsi, macd)
    return [*columns, *(each.to_numpy(np.float64) for each in series)]


def _of_horizon(probabilities: FloatArray) -> tuple[FloatArray, FloatArray]:
    known = np.nan_to_num(probabilities)
    return known.argmax(axis=1).astype(np.float64), known.max(axis=1)


def own_part(accounts: Accounts, terms: Terms, observation: str) -> FloatArray:
    """Compute the numbers of n accounts: (n, 4) float32; see `write_own`."""
    found = np.empty((len(accounts), N_OWN), dtype=np.float32)
    write_own(accounts, terms, observation, found)
    return found


def write_own(accounts: Accounts, terms: Terms, observation: str, out: FloatArray) -> None:
    """Write the numbers of n accounts into `out`, (n, 4).

    By default whether it is long, whether it is short, what the position has gained in units of its
    take-profit, and how long it is held in units of the horizon. `published`: the side, what the
    position has gained against the worth at the beginning, cash, and candles held.
    """
    _OWN[observation](accounts, terms, out.T)


def _own_default(accounts: Accounts, terms: Terms, out: FloatArray) -> None:
    b = terms.barriers
    takes = (b.long_take_profit, b.short_take_profit)
    if not b.has_take_profits:  # labels without: in units of the stop
        takes = (b.long_stop_loss, b.short_stop_loss)
    is_short = accounts.units < 0
    out[0] = accounts.units > 0
    out[1] = is_short
    out[2] = accounts.profit / np.array(takes).take(is_short)
    out[3] = accounts.held / terms.horizon


def _own_published(accounts: Accounts, terms: Terms, out: FloatArray) -> None:
    out[0] = np.sign(accounts.units)
    out[1] = accounts.units * (accounts.mark - accounts.entry) / START
    out[2] = accounts.cash / START
    out[3] = accounts.held


_OWN: dict[str, Callable[[Accounts, Terms, FloatArray], None]] = {
    "default": _own_default,
    "published": _own_published,
}


def joined_market(tapes: Sequence[Tape], observation: str) -> FloatArray:
    """Put the market's numbers of several pairs below each other, each computed by itself."""
    return np.concatenate([market_part(tape, observation) for tape in tapes])
