"""The command ``dualwindow compare``: who predicts your pairs best, and is it more than noise."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dualwindow.cli import Command, CommandError, Topics
from dualwindow.outside import cores
from dualwindow_trainer.arguments import add_candles, add_settings, add_windows, days

if TYPE_CHECKING:
    from dualwindow.judging.ladder import Line
    from dualwindow.learning.walk_forward import WalkForward
    from dualwindow_freqtrade.freqai.configuration import Configuration
    from dualwindow_trainer.walk import Planned

_OF_NETWORKS = ("epochs", "batch_size", "learning_rate")  # flags that not every kind could take
_WHOSE = {"pair": "own pair", "whitelist": "together"}


class Candidate(NamedTuple):
    """One who is to predict."""

    name: str
    configuration: "Configuration"
    train_days: float

    @property
    def folder(self) -> str:
        """Name the folder of its windows."""
        from dualwindow_trainer.tried import folder_of

        return folder_of(self.name)


def _compare(arguments: argparse.Namespace) -> int:
    from dualwindow.judging.ladder import LadderError
    from dualwindow.learning.fold_store import WalkForwardError
    from dualwindow.learning.folds import FoldError, Schedule
    from dualwindow.learning.parallel import WorkersDied
    from dualwindow_freqtrade.freqai.configuration import translated
    from dualwindow_freqtrade.freqai.threads import quiet_tensorflow
    from dualwindow_trainer.pairs import pairs_of
    from dualwindow_trainer.request import configuration_of, predicted_of, try_kinds
    from dualwindow_trainer.walk import Planned, keep_datadir, settle_delta

    quiet_tensorflow()
    span = predicted_of(arguments.timerange)
    try_kinds(arguments, [kind.partition("/")[0] for kind in arguments.kinds])
    candidates_of(arguments)  # tells what is wrong before candles are read
    pairs = list(pairs_of(arguments))
    settle_delta(arguments, pairs, span[0])
    configuration, candidates = configuration_of(arguments), candidates_of(arguments)
    try:
        # All plans before any training: what cannot be compared is told at once.
        plans = [
            Planned.of(
                each.name,
                pairs,
                Schedule(*span, each.train_days, arguments.window_days or 7.0),
                each.configuration,
            )
            for each in candidates
        ]
        _refuse_other_windows(plans)
        walks = {
            plan.name: plan.walk(arguments.out / each.folder, arguments.workers or cores())
            for plan, each in zip(plans, candidates, strict=True)
        }
        keep_datadir(arguments.out, arguments)
        _report(walks, candidates[0].name, configuration, arguments)
    except (FoldError, WalkForwardError, WorkersDied, LadderError) as error:
        raise CommandError(f"compare: {translated(str(error))}") from error
    return 0


def _refuse_other_windows(plans: Sequence["Planned"]) -> None:
    windows = [{(fold.pair, fold.start) for fold in plan.folds} for plan in plans]
    for plan, mine in zip(plans, windows, strict=True):
        if mine != windows[0]:
            raise CommandError(
                f"compare: {plan.name} can predict {len(mine)} windows, {plans[0].name} "
                f"{len(windows[0])}: candles are missing before them; shorten --days, begin later, "
                "or leave the pair out"
            )


def candidates_of(arguments: argparse.Namespace) -> list[Candidate]:
    """Cross kinds, days and poolings; the first is the baseline, on the fewest days of a pair.

    Three numbers are always there, too, as a report asks them: whatever is set for all may help
    others, and spoil a yardstick.

    Raises
    ------
    CommandError
        If a setting is wrong.
    """
    from dualwindow_trainer.request import configuration_of
    from dualwindow_trainer.space import assignments
    from dualwindow_trainer.walk import BASELINE, baseline_of

    poolings = arguments.poolings if len(arguments.pair) > 1 else ["pair"]
    of_labels = baseline_of(configuration_of(arguments).settings)
    plain = argparse.Namespace(**vars(arguments))
    plain.set = [*arguments.set, *assignments(of_labels)]
    first = [of_labels["model_training_parameters.kind"], BASELINE]
    wanted = [(kind, min(arguments.days), "pair", plain) for kind in first]
    wanted += [(*each, arguments) for each in product(arguments.kinds, arguments.days, poolings)]
    found: dict[str, Candidate] = {}
    for kind, n_days, pooling, given in wanted:
        name = f"{kind}, {n_days:g} days, {_WHOSE[pooling]}"
        if name not in found:
            found[name] = Candidate(name, _configured(kind, pooling, given), n_days)
    return list(found.values())


def _configured(kind: str, pooling: str, arguments: argparse.Namespace) -> "Configuration":
    """Give a kind its settings; ``ensemble/stacked`` is a way of combining."""
    from dualwindow_trainer.request import configuration_of

    kind, _, combine = kind.partition("/")
    words = [*arguments.set, f"dual_window.pooling={pooling}"]
    if combine:
        words.append(f"model_training_parameters.combine={combine}")
    given = {**vars(arguments), "kind": kind, "set": words}
    return configuration_of(argparse.Namespace(**given))


def _report(
    walks: Mapping[str, "WalkForward"],
    baseline: str,
    configuration: "Configuration",
    arguments: argparse.Namespace,
) -> None:
    from rich.console import Console

    from dualwindow.judging.decisions import break_even, rule_of
    from dualwindow.judging.ladder import ladder, verdict
    from dualwindow.market.labels import LONG, SHORT, Labelling
    from dualwindow.reports.terminal import ladder_table
    from dualwindow_trainer.output import write_out
    from dualwindow_trainer.request import fee_of

    barriers, fees = Labelling.of(configuration.settings).barriers, 2 * fee_of(arguments)
    confidence = configuration.confidence
    rule = rule_of(confidence, barriers, fees)
    lines = ladder(walks, baseline, rule, confidence.fallback)
    even = break_even(barriers, fees)
    words = verdict(lines, baseline)
    told = {"verdict": words, "ladder": [_facts(line) for line in lines]}
    path = arguments.out / "comparison.json"
    write_out(path, json.dumps(told, indent=1, allow_nan=False).encode(), "compare")
    Console(width=100).print(ladder_table(lines, baseline, (even[SHORT] + even[LONG]) / 2))
    for line in words:
        print(line)
    print(f"the numbers are in {path}")


def _facts(line: "Line") -> dict[str, Any]:
    plain = {name: _plain(value) for name, value in line._asdict().items()}
    return {**plain, "mean_skill": float(line.skills.mean())}


def _plain(value: Any) -> Any:
    """Lay a value out for JSON; what is not a number is None."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "_asdict"):
        return {name: _plain(part) for name, part in value._asdict().items()}
    return None if value != value else value  # NaN alone is not itself


def _known_kinds() -> Iterator[str]:
    from dualwindow.settings import KINDS

    yield from KINDS
    yield from (f"ensemble/{combine}" for combine in ("hard", "stacked"))


def _kind(text: str) -> str:
    if text not in (known := list(_known_kinds())):
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(known)}. Received: {text}")
    return text


def _add(topics: Topics) -> None:
    command = topics.add_parser(
        "compare",
        help="let several kinds predict the same weeks, and tell which is best and if by chance",
        description="Let every kind, trained on every number of days, of the own pair and of all "
        "together, predict the timerange window by window. A run that was ended goes on.",
    )
    add_candles(command)
    add_settings(command)
    command.add_argument(
        "--kinds", type=_kind, nargs="+", default=["lstm", "trees", "ensemble"], metavar="KIND"
    )
    command.add_argument(
        "--days", type=days, nargs="+", default=[30.0], metavar="N", help="to train on (30)"
    )
    command.add_argument(
        "--poolings", choices=list(_WHOSE), nargs="+", default=list(_WHOSE), help="default both"
    )
    add_windows(command)
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="of all results")
    command.set_defaults(handler=_compare, kind=None, **dict.fromkeys(_OF_NETWORKS))


COMPARE = Command(_add)
