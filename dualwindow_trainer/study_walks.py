"""Walk forward with what trials choose, and tell what came of it."""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna

from dualwindow.cli import CommandError
from dualwindow.judging.comparison import Interval
from dualwindow.judging.decisions import rule_of
from dualwindow.judging.ladder import LadderError, Line, alike, ladder
from dualwindow.judging.overfitting import daily_losses, probability_of_overfitting
from dualwindow.learning.fingerprint import digest_arrays
from dualwindow.learning.fold_store import WalkForwardError, plan_of
from dualwindow.learning.folds import FoldError, Schedule
from dualwindow.learning.parallel import WorkersDied
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.files import write_aside
from dualwindow.market.labels import Labelling
from dualwindow.outside import cores
from dualwindow.samples.data import TrainingError
from dualwindow.samples.pair_data import PairData
from dualwindow_freqtrade.freqai.configuration import translated
from dualwindow_trainer.request import block_of, configuration_of, fee_of
from dualwindow_trainer.space import Choice, assignments
from dualwindow_trainer.study import TrialError, best_first, ended, one_at_a_time
from dualwindow_trainer.tried import digest_of
from dualwindow_trainer.walk import TRAIN_DAYS, Planned, baseline_of, days_of

_BASELINE = "the baseline"
_LOOKS = "looks.json"
_WINDOW_DAYS = 7.0

Chosen = Mapping[str, Any]


class StudyWalks:
    """Walk-forwards over one span of time, each kept in a folder named by what was chosen.

    Parameters
    ----------
    pairs : candles, of which nothing after the span is looked at but by the labels
    span : seconds since 1970 UTC that are predicted
    arguments : of the command
    folder : of all walk-forwards
    """

    def __init__(
        self,
        pairs: Sequence[PairData],
        span: tuple[int, int],
        arguments: argparse.Namespace,
        folder: Path,
    ) -> None:
        self.pairs, self.span, self.arguments, self.folder = pairs, span, arguments, folder
        self._baseline: WalkForward | None = None
        self._asked = configuration_of(arguments)
        self._barriers = Labelling.of(self._asked.settings).barriers

    @property
    def _of_baseline(self) -> Chosen:
        of_labels = baseline_of(self._asked.settings)
        return {**of_labels, TRAIN_DAYS: self.arguments.baseline_days}

    def plan(self, space: Sequence[Choice]) -> dict[str, Any]:
        """Name all that trials depend on beside what they choose, for a study to hold on to."""
        arguments = self.arguments
        arrays: list[Any] = []
        for pair in self.pairs:
            candles = pair.candles
            arrays += [candles.date, candles.high, candles.low, candles.close, candles.volume]
        return {
            "choices": [str(each) for each in space],
            "pairs": list(arguments.pair),
            "timerange": list(self.span),
            "window days": arguments.window_days or _WINDOW_DAYS,
            "baseline days": arguments.baseline_days,
            "seed": arguments.seed or 0,
            "candles": digest_arrays(arrays),
            "train days": days_of(block_of(arguments)),
            **plan_of(configuration_of(arguments).settings),
            "optuna": optuna.__version__,
        }

    def plan_baseline(self) -> None:
        """Tell before anything is trained that the span cannot be predicted."""
        self._planned(_BASELINE, self._of_baseline)

    def walk_baseline(self) -> WalkForward:
        """Let the baseline predict the span, or find it predicted."""
        if self._baseline is None:
            self._baseline = self.walk(_BASELINE, self._of_baseline)
        return self._baseline

    def skill_of(self, chosen: Chosen) -> float:
        """Mean skill over all windows, held against the frequencies that the baseline knows.

        Raises
        ------
        TrialError
            If no training of these settings can be.
        """
        (line,) = (one for one in self.lines("chosen", chosen) if one.name == "chosen")
        skill = float(line.skills.mean())
        if not math.isfinite(skill):
            raise TrialError("it has no skill that is a number")
        return skill

    def lines(self, name: str, chosen: Chosen) -> list[Line]:
        """Hold what was chosen against the baseline."""
        rule = rule_of(self._asked.confidence, self._barriers, 2 * fee_of(self.arguments))
        walks = {_BASELINE: self.walk_baseline(), name: self.walk(name, chosen)}
        try:
            return ladder(walks, _BASELINE, rule)
        except LadderError as error:
            raise TrialError(str(error)) from error

    def walk(self, name: str, chosen: Chosen) -> WalkForward:
        """Predict the span with what was chosen, or find it predicted.

        Raises
        ------
        TrialError
            If what was chosen is the reason that it cannot be done.
        CommandError
            If anything else is.
        """
        planned = self._planned(name, chosen)
        # The baseline is no trial: it lies beside them.
        is_trial = name != _BASELINE
        place = self.folder if is_trial else self.folder.parent / "baseline" / self.folder.name
        folder = place / digest_of(chosen)
        try:
            with one_at_a_time(folder.with_suffix(".lock")):
                return planned.walk(folder, self.arguments.workers or cores(), tells_found=False)
        except (WalkForwardError, WorkersDied) as error:
            raise _told(error) from error

    def _planned(self, name: str, chosen: Chosen) -> Planned:
        arguments = _with(self.arguments, chosen)
        try:
            configuration, days = configuration_of(arguments), days_of(block_of(arguments))
        except CommandError as error:
            raise TrialError(str(error)) from error
        window = self.arguments.window_days or _WINDOW_DAYS
        schedule = Schedule(*self.span, days, window)
        try:
            return Planned.of(name, self.pairs, schedule, configuration)
        except (FoldError, WalkForwardError) as error:
            raise _told(error) from error


def _told(error: Exception) -> CommandError:
    """Tell a trial that cannot be from a machine, or a folder, that cannot."""
    of_settings = isinstance(error, FoldError) or isinstance(
        error.__cause__, (TrainingError, FloatingPointError)
    )
    return (TrialError if of_settings else CommandError)(translated(str(error)))


def _with(arguments: argparse.Namespace, chosen: Chosen) -> argparse.Namespace:
    given = {**vars(arguments), "set": [*arguments.set, *assignments(chosen)]}
    return argparse.Namespace(**given)


def report(study: optuna.Study, trials: StudyWalks, held: StudyWalks) -> list[str]:
    """Write what was found, how likely it is luck, and what it is worth on the weeks held out.

    Returns
    -------
    The same in words.

    Raises
    ------
    CommandError
        If no trial has come to a skill.
    """
    found = best_first(study)
    if not found:
        raise CommandError("study: no trial has come to a skill; the lines above say why")
    distinct = {digest_of(t.user_attrs["chosen"]): t.user_attrs["chosen"] for t in found}
    walks = {name: trials.walk(name, chosen) for name, chosen in distinct.items()}
    losses = daily_losses(alike(walks, next(iter(walks))))
    best = found[0].user_attrs["chosen"]
    out = trials.arguments.out
    n_looks = _look(out / _LOOKS, held.span, digest_of(best))
    lines = {line.name: line for line in held.lines("best", best)}
    told = {
        "trials": len(ended(study)),
        "configurations": len(distinct),
        "folders": list(distinct),
        "best": best,
        "skill": found[0].value,
        "probability of overfitting": probability_of_overfitting(losses),
        "held out": {
            "skill": float(lines["best"].skills.mean()),
            "skill of the baseline": float(lines[_BASELINE].skills.mean()),
            "better by": _turned(lines["best"].behind_baseline),
            "configurations tried there": n_looks,
        },
    }
    arguments = _with(trials.arguments, best)
    block = block_of(arguments)
    configuration = {"freqai": {**block, TRAIN_DAYS: _plain(days_of(block))}}
    for name, content in (("study.json", told), ("best.json", configuration)):
        write_aside(out / name, json.dumps(content, indent=1, allow_nan=False).encode())
    return _words(told, out)


def _look(path: Path, span: tuple[int, int], chosen: str) -> int:
    """Note that these weeks are looked at, before it is done; count who has been tried on them."""
    with one_at_a_time(path.with_suffix(".lock")):
        looks = json.loads(path.read_text()) if path.is_file() else []
        looks.append({"span": list(span), "chosen": chosen})
        write_aside(path, json.dumps(looks).encode())
    overlapping = [e for e in looks if e["span"][0] < span[1] and span[0] < e["span"][1]]
    return len({each["chosen"] for each in overlapping})


def _turned(behind: Interval) -> list[float | None]:
    """Turn round how much better the baseline is: mean, low, high; None where it is unknown."""
    numbers = (-behind.mean, -behind.high, -behind.low)
    return [None if math.isnan(number) else number for number in numbers]


def _plain(number: float) -> float | int:
    return int(number) if number == int(number) else number


def _words(told: Mapping[str, Any], out: Path) -> list[str]:
    held, luck = told["held out"], told["probability of overfitting"]
    mean, low, high = held["better by"]
    between = "" if low is None else f" ({low:+.4f} .. {high:+.4f})"
    lucky = "unknown (it takes two configurations and eight days)"
    words = [
        f"best of {told['trials']} trials, {told['configurations']} different ones with a skill: "
        f"{json.dumps(told['best'])}",
        f"mean skill {told['skill']:+.4f}; probability that the best of them is below their middle "
        f"on other days: {lucky if luck is None else f'{luck:.2f}'}",
        f"on the weeks held out: mean skill {held['skill']:+.4f}, the baseline "
        f"{held['skill of the baseline']:+.4f}, better by {mean:+.4f}{between}",
    ]
    if (n := held["configurations tried there"]) > 1:
        words.append(f"{n} configurations have been tried on these weeks: they are not untouched")
    words.append(f"{out / 'best.json'} is a configuration: -c {out / 'best.json'}")
    return words
