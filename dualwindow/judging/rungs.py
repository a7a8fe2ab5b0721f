"""Hold all who predicted the same candles against one yardstick, window by window."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.judging.comparison import Interval, block_interval, blocks_of
from dualwindow.judging.decisions import Rule, decide
from dualwindow.judging.findings import Measured, Rung
from dualwindow.judging.out_of_sample import training_frequencies
from dualwindow.judging.seen import windows_of
from dualwindow.learning.metrics import beats_reference, calibration_errors, split_losses
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.labels import HOLD, SHORT, UNKNOWN
from dualwindow.settings import Fallback


class Yardstick(NamedTuple):
    """The class frequencies that the training before each window knew, and where they are asked.

    Parameters
    ----------
    window : (n,) place of each row's window
    block : (w,) block of time of each window, see `blocks_of`
    labels : (n,) of SHORT, HOLD, LONG, UNKNOWN
    quoted : (n, 3) the frequencies of each row's window
    judged : (n,) with a label, and a prediction of the one who is reported
    """

    window: IntArray
    block: IntArray
    labels: IntArray
    quoted: FloatArray
    judged: BoolArray

    @classmethod
    def of(cls, walk: WalkForward) -> "Yardstick":
        """Take it from the one who is reported."""
        window, labels = windows_of(walk), walk.table["label"].to_numpy()
        frequencies = np.array([training_frequencies(record.labels) for record in walk.records])
        starts, stops = np.array([(fold.start, fold.stop) for fold in walk.folds]).T
        judged = walk.table["valid"].to_numpy(dtype=bool) & (labels != UNKNOWN)
        return cls(window, blocks_of(starts, stops), labels, frequencies[window], judged)

    def sums(self, probabilities: FloatArray, rows: BoolArray) -> FloatArray:
        """Add up the losses of touch and of direction in each window: (w, 2)."""
        lost = split_losses(probabilities[rows], self.labels[rows].astype(np.int64))
        n, own = len(self.block), self.window[rows]
        return np.stack([np.bincount(own, lost[:, i], n) for i in (0, 1)], axis=1)


class Held(NamedTuple):
    """One who predicts, against the yardstick on the same candles.

    Parameters
    ----------
    skill : (w,) of each window; NaN where it has no candle in common
    touch, direction : over all windows; NaN where never asked
    """

    skill: FloatArray
    touch: float
    direction: float

    def interval(self, block: IntArray) -> Interval:
        """Average over the windows; only whole windows of time are independent."""
        known = np.isfinite(self.skill)
        if not known.any():
            return Interval(math.nan, math.nan, math.nan)
        return block_interval(self.skill[known], block[known])


def hold(yardstick: Yardstick, probabilities: FloatArray, rows: BoolArray) -> Held:
    """Compare the losses of some rows with those of quoting the frequencies there."""
    lost, of = yardstick.sums(probabilities, rows), yardstick.sums(yardstick.quoted, rows)
    skill = 1 - _ratio(lost.sum(axis=1), of.sum(axis=1))
    touch, direction = 1 - _ratio(lost.sum(axis=0), of.sum(axis=0))
    return Held(skill, float(touch), float(direction))


def _ratio(lost: FloatArray, of: FloatArray) -> FloatArray:
    return np.divide(lost, of, out=np.full(len(of), np.nan), where=of > 0)


class Decider(NamedTuple):
    """What decides on entries; nothing does where the rule is None.

    Where nobody can short, SHORT is never entered.
    """

    rule: Rule | None
    fallback: Fallback | None
    can_short: bool = True

    def __call__(self, probabilities: FloatArray) -> IntArray:
        """Choose for each of (m, 3) rows, see `decide`."""
        if self.rule is None:
            return np.full(len(probabilities), HOLD, dtype=np.int8)
        chosen = decide(probabilities, self.rule, self.fallback or "hold")
        if not self.can_short:
            chosen[chosen == SHORT] = HOLD
        return chosen

    def enters(self, side: int) -> bool:
        """Tell whether a side can be entered at all."""
        return self.can_short or side != SHORT


def rungs(
    yardstick: Yardstick,
    predicted: Mapping[str, tuple[FloatArray, float | None]],
    decider: Decider,
) -> tuple[Rung, ...]:
    """Lay all side by side, the best first; only candles count that all of them have predicted.

    Nobody is laid out where there is no such candle.

    Parameters
    ----------
    yardstick : see there
    predicted : by name, (n, 3) probabilities, NaN where there are none, and seconds of a training
    decider : of entries
    """
    rows = yardstick.judged.copy()
    for probabilities, _ in predicted.values():
        rows &= np.isfinite(probabilities[:, 0])
    if not rows.any():
        return ()
    truth = yardstick.labels[rows].astype(np.int64)
    found = []
    for name, (probabilities, seconds) in predicted.items():
        held, told = hold(yardstick, probabilities, rows), probabilities[rows]
        skill = measured(held.interval(yardstick.block))
        found.append(_rung(name, held, skill, seconds, _Told(told, decider(told), truth)))
    return tuple(sorted(found, key=lambda rung: -(rung.skill.mean or 0.0)))


class _Told(NamedTuple):
    """Of the (m,) candles that count: probabilities, decisions and what became true."""

    probabilities: FloatArray
    chosen: IntArray
    truth: IntArray


def _rung(name: str, held: Held, skill: Measured, seconds: float | None, told: _Told) -> Rung:
    known = held.skill[np.isfinite(held.skill)]
    error = max(calibration_errors(told.probabilities, told.truth))
    entered = told.chosen != HOLD
    hits = (told.chosen == told.truth)[entered]
    return Rung(
        name=name,
        skill=skill,
        above_zero=float(np.mean([beats_reference(s) for s in known])),
        worst=float(known.min()),
        touch=or_none(held.touch),
        direction=or_none(held.direction),
        calibration_error=or_none(error),
        signals=len(hits),
        hit_rate=float(hits.mean()) if len(hits) else None,
        seconds=seconds,
    )


def measured(found: Interval) -> Measured:
    """Lay an interval out; what is not a number is None."""
    return Measured(mean=or_none(found.mean), low=or_none(found.low), high=or_none(found.high))


def or_none(value: float | None) -> float | None:
    """Give a number; None where it is none, or not finite."""
    return None if value is None or not math.isfinite(value) else float(value)
