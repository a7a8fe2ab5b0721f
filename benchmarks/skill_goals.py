"""What `make bench-skill` asks of the probabilities, and whether it is reached."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.skill_walks import BASELINE, OURS, OURS_ON_SAME, RAW_SCORES, TRUE, Judged, Windows
from dualwindow.arrays import FloatArray, IntArray
from dualwindow.judging.comparison import Interval, block_interval
from dualwindow.judging.ladder import skills_by_question, skills_of
from dualwindow.judging.out_of_sample import Scores

MEAN_OF_SEEDS = f"{OURS}, mean of seeds"


class Goal(NamedTuple):
    """A number, and whether it is good enough."""

    what: str
    value: str
    reached: bool


class Line(NamedTuple):
    """What one who predicts was worth over all windows.

    Parameters
    ----------
    who : its name
    skills : (m,) of each window, against the frequencies of the own pair's last thirty days
    touch, direction : skill in each of the two questions, over all windows
    against_ours : ours less its own skill, window by window; weeks are drawn
    better_than_three : share of the windows in which it has the smaller loss
    seconds : of a training, on average
    """

    who: str
    skills: FloatArray
    touch: float
    direction: float
    against_ours: Interval
    better_than_three: float
    seconds: float


def ladder(judged: Judged) -> list[Line]:
    """Hold all who predict against the same frequencies, and against our own model."""
    windows = dict(judged.windows)
    seeds = [name for name in windows if name.startswith(OURS)]
    references = windows[BASELINE]
    skills = {who: skills_of(theirs, references) for who, theirs in windows.items()}
    ours = np.mean([skills[name] for name in seeds], axis=0)
    weeks = np.array([window.fold.start for window in references])
    lines = [
        _line(who, skills[who], windows[who], references, ours, skills[BASELINE], weeks)
        for who in windows
    ]
    if len(seeds) > 1:
        every = [line for line in lines if line.who in seeds]
        lines.append(
            Line(
                MEAN_OF_SEEDS,
                ours,
                float(np.mean([line.touch for line in every])),
                float(np.mean([line.direction for line in every])),
                block_interval(np.zeros(len(ours)), weeks),
                float(np.mean(ours > skills[BASELINE])),
                float(np.mean([line.seconds for line in every])),
            )
        )
    return lines


def _line(
    who: str,
    skills: FloatArray,
    windows: Windows,
    references: Windows,
    ours: FloatArray,
    three: FloatArray,
    weeks: IntArray,
) -> Line:
    touch, direction = skills_by_question(windows, references)
    seconds = float(np.mean([window.record.seconds for window in windows]))
    interval = block_interval(ours - skills, weeks)
    better = float(np.mean(skills > three))
    return Line(who, skills, touch, direction, interval, better, seconds)


def goals_of_recorded(lines: Sequence[Line], overall: Sequence[Scores]) -> list[Goal]:
    """Ask for more than every rung of the ladder has, and for calibration.

    Parameters
    ----------
    lines : of `ladder`
    overall : of our own model, of each seed
    """
    by_name = {line.who: line for line in lines}
    ours = by_name.get(MEAN_OF_SEEDS, by_name[OURS])
    others = [line for line in lines if not line.who.startswith((OURS, RAW_SCORES))]
    best = max(others, key=lambda line: line.skills.mean())
    mean, rung = ours.skills.mean(), best.skills.mean()
    between = best.against_ours
    above, n = int((ours.skills > 0).sum()), len(ours.skills)
    lag = (by_name[BASELINE].skills - ours.skills).max()
    errors = np.mean([scores.calibration_errors for scores in overall], axis=0)
    return [
        Goal(
            f"mean skill, ours / best rung ({best.who})",
            f"{mean:+.4f} / {rung:+.4f}, difference {between.low:+.4f} .. {between.high:+.4f}",
            bool(mean > rung),
        ),
        Goal("windows above 0", f"{above} of {n}", above >= 0.95 * n),
        Goal(
            "better than three numbers",
            f"{100 * ours.better_than_three:.0f} % of windows",
            ours.better_than_three >= 0.8,
        ),
        Goal("worst window", f"{ours.skills.min():+.3f}", bool(ours.skills.min() >= -0.02)),
        Goal("furthest below three numbers", f"{lag:.3f}", bool(lag <= 0.02)),
        Goal(
            "calibration error S / H / L",
            " / ".join(f"{error:.3f}" for error in errors),
            bool(max(errors) < 0.02),
        ),
    ]


def goals_of_synthetic(market: str, windows: Mapping[str, Windows]) -> list[Goal]:
    """Ask for most of what can be known of the planted market, for nothing on a random walk."""
    skills = np.array([window.scores.skill for window in windows[OURS]])
    ours, true = (
        float(np.mean([window.scores.skill for window in windows[who]]))
        for who in (OURS_ON_SAME, TRUE)
    )
    text = f"{skills.mean():+.4f}, worst {skills.min():+.4f}, true probabilities {true:+.3f}"
    if market == "planted":
        return [Goal(f"skill on the {market}", text, ours >= 0.7 * true)]
    # A week in which nothing can be foreseen is to cost little, whatever validation has seen.
    reached = skills.mean() >= -0.005 and skills.min() >= -0.03
    return [Goal(f"skill on the {market}", text, bool(reached))]
