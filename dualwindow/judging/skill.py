"""Say how much better a model is than class frequencies, three numbers and others tried."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.judging.baseline import Foreseen
from dualwindow.judging.comparison import Interval
from dualwindow.judging.findings import Rung, Skill
from dualwindow.judging.ladder import LadderError, alike
from dualwindow.judging.out_of_sample import fold_scores
from dualwindow.judging.rungs import Decider, Held, Yardstick, hold, measured, or_none, rungs
from dualwindow.judging.windows import windows
from dualwindow.learning.metrics import beats_reference
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.labels import CLASSES

FREQUENCIES = "class frequencies"


def skill_of(
    walks: Mapping[str, WalkForward], baseline: Foreseen, decider: Decider
) -> tuple[Skill, list[str]]:
    """Hold the first of several against all that can be asked.

    Parameters
    ----------
    walks : by name; the first is the one that is reported
    baseline : what three numbers have predicted of the same candles
    decider : of entries

    Returns
    -------
    The skill, and a sentence for each of the others that cannot be compared.
    """
    walk = next(iter(walks.values()))
    yardstick, mine = Yardstick.of(walk), walk.table[list(CLASSES)].to_numpy()
    own = hold(yardstick, mine, yardstick.judged)
    compared = _Compared.of(yardstick, mine, baseline)
    known = own.skill[np.isfinite(own.skill)]
    labels = [yardstick.labels[yardstick.window == i] for i in range(len(walk.folds))]
    theirs = np.full(len(walk.folds), np.nan) if compared is None else compared.theirs.skill
    ladder, remarks = _ladder(walks, yardstick, None if compared is None else baseline, decider)
    found = Skill(
        mean=measured(own.interval(yardstick.block)),
        touch=or_none(own.touch),
        direction=or_none(own.direction),
        above_zero=sum(beats_reference(each) for each in known.tolist()),
        windows=len(known),
        baseline=None if compared is None else baseline.kind,
        against_baseline=None if compared is None else measured(compared.gap(yardstick.block)),
        ladder=ladder,
        rows=windows(fold_scores(walk), yardstick.block, labels, theirs),
    )
    return found, remarks


class _Compared(NamedTuple):
    """The model and the baseline on the candles that both have predicted."""

    mine: Held
    theirs: Held

    @classmethod
    def of(cls, yardstick: Yardstick, mine: FloatArray, baseline: Foreseen) -> "_Compared | None":
        both = yardstick.judged & np.isfinite(baseline.probabilities[:, 0])
        if not both.any():
            return None
        return cls(*(hold(yardstick, each, both) for each in (mine, baseline.probabilities)))

    def gap(self, block: IntArray) -> Interval:
        return self.mine._replace(skill=self.mine.skill - self.theirs.skill).interval(block)


def _ladder(
    walks: Mapping[str, WalkForward],
    yardstick: Yardstick,
    baseline: Foreseen | None,
    decider: Decider,
) -> tuple[tuple[Rung, ...], list[str]]:
    if not yardstick.judged.any():
        return (), []
    first = next(iter(walks))
    ours: dict[str, tuple[FloatArray, float | None]] = {FREQUENCIES: (yardstick.quoted, None)}
    if baseline is not None:
        ours[f"three numbers ({baseline.kind})"] = baseline.probabilities, None
    predicted: dict[str, tuple[FloatArray, float | None]] = {}
    remarks = []
    for name, walk in walks.items():
        try:
            alike({first: walks[first], name: walk}, first)
        except LadderError as error:
            remarks.append(f"Not compared: {error}.")
            continue
        seconds = float(np.mean([record.seconds for record in walk.records]))
        valid = walk.table["valid"].to_numpy(dtype=bool)
        probabilities = walk.table[list(CLASSES)].to_numpy()
        key = f"{name} (folder)" if name in ours else name
        predicted[key] = np.where(valid[:, None], probabilities, np.nan), seconds
    found = rungs(yardstick, predicted | ours, decider)
    if not found:
        said = "there is no candle that all have predicted, and whose label is known"
        remarks.append(f"Not held against each other: {said}.")
    return found, remarks
