"""What `make bench-skill` asks of the probabilities, and whether it is reached."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.skill_peers import CANDLE, WINDOW
from dualwindow.arrays import FloatArray
from dualwindow.judging.out_of_sample import FoldScores, Scores
from dualwindow.learning.metrics import beats_reference

RECORDED = "recorded"
# Who predicts. The raw scores are our own model's before calibration; of synthetic markets, both
# our own and the true probabilities are held against each other on a sample of the candles.
OURS, RAW_SCORES, THREE_NUMBERS = "dualwindow", "raw scores", "three numbers"
TRUE, OURS_ON_SAME = "true probabilities", "on the same candles"

Windows = Sequence[FoldScores]


class Goal(NamedTuple):
    """A number, and whether it is good enough."""

    what: str
    value: str
    reached: bool


def goals_of_recorded(
    windows: Mapping[str, Windows], overall: Scores, holdout: pd.Timestamp
) -> list[Goal]:
    """Ask for skill, calibration, and more of both than the peers have.

    Parameters
    ----------
    windows : of each who predicted, the same ones
    overall : of our own model
    holdout : settings were tuned on windows before it
    """
    skills, errors = _skills(windows[OURS]), overall.calibration_errors
    above = sum(map(beats_reference, skills))
    goals = [
        _goal("mean skill", f"{skills.mean():+.3f}", skills.mean() > 0.03),
        _goal("windows above 0", f"{above} of {len(skills)}", above >= 0.75 * len(skills)),
        _goal("worst window", f"{skills.min():+.3f}", skills.min() >= -0.05),
        _goal(
            "calibration error S / H / L",
            " / ".join(f"{e:.3f}" for e in errors),
            max(errors) < 0.05,
        ),
    ]
    goals += _of_holdout(windows[OURS], holdout)
    goals.append(_better_loss(windows, THREE_NUMBERS))
    theirs = _skills(windows[THREE_NUMBERS]).mean()
    text = f"{skills.mean():+.3f} / {theirs:+.3f}"
    goals.append(_goal(f"mean skill, ours / {THREE_NUMBERS}", text, skills.mean() >= theirs))
    for peer in (CANDLE, WINDOW):
        goals += [_better_loss(windows, peer), *_better_auc(windows, peer)]
    return goals


def _of_holdout(ours: Windows, holdout: pd.Timestamp) -> list[Goal]:
    held = _skills([w for w in ours if w.fold.start >= holdout.timestamp()])
    if not len(held):
        return []
    above = sum(map(beats_reference, held))
    text = f"{held.mean():+.3f}, {above} of {len(held)} above 0"
    reached = above >= 0.75 * len(held) and held.mean() > 0.03
    return [_goal(f"from {holdout:%Y-%m-%d} on, untouched by tuning", text, reached)]


def _better_loss(windows: Mapping[str, Windows], peer: str) -> Goal:
    both = zip(windows[OURS], windows[peer], strict=True)
    better = [ours.scores.log_loss < theirs.scores.log_loss for ours, theirs in both]
    text = f"{sum(better)} of {len(better)} windows"
    return _goal(f"better log loss than {peer}", text, np.mean(better) >= 0.8)


def _better_auc(windows: Mapping[str, Windows], peer: str) -> list[Goal]:
    goals = []
    for side in ("auc_short", "auc_long"):
        both = [
            [getattr(window.scores, side) for window in pair]
            for pair in zip(windows[OURS], windows[peer], strict=True)
        ]
        if told := [pair for pair in both if None not in pair]:
            ours, theirs = np.mean(told, axis=0)
            text = f"{ours:.3f} / {theirs:.3f}"
            goals.append(_goal(f"mean {side}, ours / {peer}", text, ours >= theirs))
    return goals


def goals_of_synthetic(market: str, windows: Mapping[str, Windows]) -> list[Goal]:
    """Ask for half of what can be known of the planted market, for nothing on a random walk."""
    skills = _skills(windows[OURS])
    error = skills.std(ddof=1) / np.sqrt(len(skills))
    ours, true = (_skills(windows[who]).mean() for who in (OURS_ON_SAME, TRUE))
    text = f"{skills.mean():+.4f} ± {error:.4f}, true probabilities {true:+.3f}"
    reached = ours >= true / 2 if market == "planted" else skills.mean() <= 2 * error
    return [_goal(f"skill on the {market}", text, reached)]


def _skills(windows: Windows) -> FloatArray:
    return np.array([window.scores.skill for window in windows])


def _goal(what: str, value: str, reached: object) -> Goal:
    return Goal(what, value, bool(reached))
