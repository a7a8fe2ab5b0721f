"""The command ``dualwindow study``: search settings, and try the best ones on weeks held out."""

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualwindow.cli import Command, CommandError, Topics
from dualwindow_trainer.arguments import (
    add_candles,
    add_settings,
    add_windows,
    cores,
    days,
    positive,
)

if TYPE_CHECKING:
    from dualwindow.judging.ladder import Line
    from dualwindow.learning.walk_forward import WalkForward
    from dualwindow.samples.pair_data import PairData

BASELINE = "three numbers"
_DAYS = 30.0  # of training, where nothing else is said
_DEFAULT = (
    "model_training_parameters.kind=lstm|trees|ensemble",
    "train_days=30|60|90",
    "model_training_parameters.stride=5|10|20",
)
_OF_PAIRS = "dual_window.pooling=pair|whitelist"
_OF_NETWORKS = ("epochs", "batch_size", "learning_rate")


def _study(arguments: argparse.Namespace) -> int:
    from dualwindow_freqtrade.freqai.threads import quiet_tensorflow
    from dualwindow_trainer.request import pairs_of, predicted_of
    from dualwindow_trainer.space import choice
    from dualwindow_trainer.study import open_study, search

    quiet_tensorflow()
    spans = arguments.timerange, arguments.held_out
    searched, held_out = (predicted_of(words) for words in spans)
    if held_out[0] < searched[1]:
        raise CommandError("--held-out must begin where --timerange ends, or later")
    several = [_OF_PAIRS] if len(arguments.pair) > 1 else []
    space = [choice(words) for words in arguments.tries or [*_DEFAULT, *several]]
    _make(arguments.out)
    pairs = list(pairs_of(arguments))
    plan = {
        "space": [repr(each) for each in space],
        "pairs": arguments.pair,
        "timerange": list(searched),
        "settings": [*map(str, arguments.config), arguments.preset, *arguments.set],
        "window days": arguments.window_days,
        "seed": arguments.seed,
    }
    study = open_study(arguments.out / "journal.log", arguments.storage, plan)
    skill_of = partial(_skill, pairs=pairs, span=searched, arguments=arguments)
    search(study, space, arguments.trials, arguments.seed or 0, skill_of)
    _report(study, pairs, (searched, held_out), arguments)
    return 0


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"--out {out} cannot be made ({error.strerror})") from error


def _skill(
    chosen: dict[str, Any],
    pairs: Sequence["PairData"],
    span: tuple[int, int],
    arguments: argparse.Namespace,
) -> float:
    """Mean skill of what was chosen over all windows, held against the baseline's frequencies.

    Raises
    ------
    TrialError
        If a training of these settings cannot be.
    """
    from dualwindow_trainer.study import TrialError

    try:
        lines = _ladder({"chosen": chosen}, pairs, span, arguments, "trials")
    except CommandError as error:
        if _is_of_machine(error):
            raise
        raise TrialError(str(error)) from error
    return float(next(line for line in lines if line.name == "chosen").skills.mean())


def _is_of_machine(error: BaseException) -> bool:
    """Tell whether a full disk or a lost worker is the cause, and not what was chosen."""
    from dualwindow.learning.parallel import WorkersDied

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (OSError, MemoryError, WorkersDied)):
            return True
        cause = cause.__cause__
    return False


def _ladder(
    several: Mapping[str, dict[str, Any]],
    pairs: Sequence["PairData"],
    span: tuple[int, int],
    arguments: argparse.Namespace,
    folder: str,
) -> list["Line"]:
    from dualwindow.judging.decisions import ExpectedValue
    from dualwindow.judging.ladder import LadderError, ladder
    from dualwindow.market.labels import Labelling
    from dualwindow_freqtrade.freqai.configuration import translated
    from dualwindow_trainer.request import configuration_of

    three = {"model_training_parameters.kind": "ranges", "dual_window.pooling": "pair"}
    everyone = {BASELINE: {**three, "train_days": arguments.baseline_days}, **several}
    walks = {
        name: _walk(name, chosen, pairs, span, arguments, folder)
        for name, chosen in everyone.items()
    }
    settings = configuration_of(arguments).settings
    rule = ExpectedValue(Labelling.of(settings).barriers, 2 * arguments.fee, 0.0)
    try:
        return ladder(walks, BASELINE, rule)
    except LadderError as error:
        raise CommandError(translated(str(error))) from error


def _walk(
    name: str,
    chosen: Mapping[str, Any],
    pairs: Sequence["PairData"],
    span: tuple[int, int],
    arguments: argparse.Namespace,
    folder: str,
) -> "WalkForward":
    """Predict the span with what was chosen, or find it predicted: folders are named by it."""
    from dualwindow.learning.fold_store import WalkForwardError
    from dualwindow.learning.folds import FoldError, Schedule
    from dualwindow.learning.parallel import WorkersDied
    from dualwindow_freqtrade.freqai.configuration import translated
    from dualwindow_trainer.request import configuration_of
    from dualwindow_trainer.space import TRAIN_DAYS, assignments
    from dualwindow_trainer.walk import Planned

    given = {**vars(arguments), "set": [*arguments.set, *assignments(chosen)]}
    configuration = configuration_of(argparse.Namespace(**given))
    train_days = float(chosen.get(TRAIN_DAYS, _DAYS))
    digest = hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()[:12]
    schedule = Schedule(*span, train_days, arguments.window_days or 7.0)
    try:
        planned = Planned.of(name, pairs, schedule, configuration)
        place, n_workers = arguments.out / folder / digest, arguments.workers or cores()
        return planned.walk(place, n_workers, tells_found=False)
    except (FoldError, WalkForwardError, WorkersDied) as error:
        raise CommandError(translated(str(error))) from error


def _report(
    study: Any,
    pairs: Sequence["PairData"],
    spans: tuple[tuple[int, int], tuple[int, int]],
    arguments: argparse.Namespace,
) -> None:
    """Say what was found, how likely it is luck, and what it is worth on the weeks held out."""
    from dualwindow.judging.overfitting import daily_losses, probability_of_overfitting
    from dualwindow_trainer.study import best_first, ended

    searched, held_out = spans
    trials = best_first(study)
    if not trials:
        raise CommandError("study: no trial has come to a skill; the lines above say why")
    chosen = {f"trial {trial.number}": trial.user_attrs["chosen"] for trial in trials}
    walks = [_walk(n, each, pairs, searched, arguments, "trials") for n, each in chosen.items()]
    luck = probability_of_overfitting(daily_losses(dict(zip(chosen, _alike(walks), strict=True))))
    best = trials[0].user_attrs["chosen"]
    found = _ladder({"best": best}, pairs, held_out, arguments, "held")
    lines = {line.name: line for line in found}
    n_looks = len(list((arguments.out / "held").iterdir())) - 1
    told = {
        "trials": len(ended(study)),
        "best": best,
        "skill": trials[0].value,
        "probability of overfitting": luck,
        "held out": {
            "skill": float(lines["best"].skills.mean()),
            "skill of three numbers": float(lines[BASELINE].skills.mean()),
            "better by": _plain(lines["best"].behind_baseline),
            "configurations tried there": n_looks,
        },
    }
    _write(arguments.out / "study.json", told)
    _write(arguments.out / "best.json", {"freqai": _block(best)})
    for line in _words(told, arguments.out):
        print(line)


def _alike(walks: Sequence["WalkForward"]) -> list["WalkForward"]:
    """Leave out the candles that one of them has not predicted."""
    valid = walks[0].table["valid"].to_numpy().copy()
    for walk in walks[1:]:
        valid &= walk.table["valid"].to_numpy()
    return [walk._replace(table=walk.table.assign(valid=valid)) for walk in walks]


def _plain(interval: Any) -> list[float | None]:
    """Turn how much better the baseline is round: mean, low, high; None where it is unknown."""
    numbers = (-interval.mean, -interval.high, -interval.low)
    return [None if number != number else number for number in numbers]


def _block(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Write what was chosen as the block freqai of a configuration."""
    block: dict[str, Any] = {}
    for key, value in chosen.items():
        *path, last = ("train_period_days" if key == "train_days" else key).split(".")
        place = block
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return block


def _words(told: Mapping[str, Any], out: Path) -> list[str]:
    held = told["held out"]
    mean, low, high = held["better by"]
    between = "" if low is None else f" ({low:+.4f} .. {high:+.4f})"
    luck = told["probability of overfitting"]
    lucky = "unknown (it takes two trials and eight days)" if luck is None else f"{luck:.2f}"
    words = [
        f"best of {told['trials']} trials: {json.dumps(told['best'])}",
        f"mean skill {told['skill']:+.4f}",
        f"probability that the best of these is below their middle on other days: {lucky}",
        f"on the weeks held out: mean skill {held['skill']:+.4f}, three numbers "
        f"{held['skill of three numbers']:+.4f}, better by {mean:+.4f}{between}",
    ]
    if held["configurations tried there"] > 1:
        words.append(
            f"{held['configurations tried there']} configurations have been tried on these weeks "
            "by now: they are no longer untouched"
        )
    words.append(f"{out / 'best.json'} is a configuration: -c {out / 'best.json'}")
    return words


def _write(path: Path, told: Mapping[str, Any]) -> None:
    from dualwindow.market.files import write_aside

    try:
        write_aside(path, json.dumps(told, indent=1, allow_nan=False).encode())
    except OSError as error:
        raise CommandError(f"study: {path} cannot be written ({error.strerror})") from error


def _add(topics: Topics) -> None:
    command = topics.add_parser(
        "study",
        help="search settings by their skill out of sample, and try the best one on weeks held out",
        description="Let trials choose settings, predict the timerange window by window, and go on "
        "from what did well. A study that was ended goes on with the same command.",
    )
    add_candles(command)
    add_settings(command)
    command.add_argument(
        "--held-out",
        required=True,
        metavar="YYYYMMDD-YYYYMMDD",
        help="later weeks, which only the best settings predict",
    )
    command.add_argument(
        "--baseline-days",
        type=days,
        default=_DAYS,
        metavar="N",
        help="that three numbers learn from, whose frequencies are the yardstick (30)",
    )
    command.add_argument("--trials", type=positive, default=20, metavar="N", help="in all (20)")
    command.add_argument(
        "--try",
        dest="tries",
        nargs="+",
        metavar="KEY=A|B",
        help="what to choose from: conv_width=60|180, or a range, KEY=0.1..0.5 "
        f"(default {' '.join(_DEFAULT)})",
    )
    command.add_argument(
        "--storage", metavar="ADDRESS", help="of a database instead of a journal in --out"
    )
    add_windows(command)
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="of all results")
    command.set_defaults(handler=_study, kind=None, **dict.fromkeys(_OF_NETWORKS))


STUDY = Command(_add)
