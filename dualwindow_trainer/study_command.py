"""The command ``dualwindow study``: search settings, and try the best ones on weeks held out."""

import argparse
from contextlib import nullcontext
from pathlib import Path

from dualwindow.cli import Command, CommandError, Topics
from dualwindow_trainer.arguments import add_candles, add_settings, add_windows, days, positive

_DEFAULT = (
    "model_training_parameters.kind=lstm|trees|ensemble",
    "train_period_days=30|60|90",
    "model_training_parameters.stride=5|10|20",
)
_OF_PAIRS = "dual_window.pooling=pair|whitelist"
_OF_NETWORKS = ("epochs", "batch_size", "learning_rate")


def _study(arguments: argparse.Namespace) -> int:
    import purgedcv  # noqa: F401 - told now, if it is not there, and not after hours
    from optuna.exceptions import OptunaError

    from dualwindow_freqtrade.freqai.threads import quiet_tensorflow
    from dualwindow_trainer.pairs import pairs_of
    from dualwindow_trainer.request import block_of, predicted_of, try_kinds
    from dualwindow_trainer.space import kinds_of, space_of
    from dualwindow_trainer.study import alone, at_work, one_at_a_time, open_study, search
    from dualwindow_trainer.study_walks import StudyWalks, report
    from dualwindow_trainer.walk import keep_datadir, settle_delta

    quiet_tensorflow()
    searched = predicted_of(arguments.timerange)
    held_out = predicted_of(arguments.held_out, "--held-out")
    if held_out[0] < searched[1]:
        raise CommandError("--held-out must begin where --timerange ends, or later")
    several = [_OF_PAIRS] if len(arguments.pair) > 1 else []
    space = space_of(arguments.tries or [*_DEFAULT, *several])
    try_kinds(arguments, kinds_of(space, block_of(arguments)))
    pairs = list(pairs_of(arguments))
    settle_delta(arguments, pairs, searched[0])
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        keep_datadir(arguments.out, arguments)
        shared = arguments.storage is not None
        with nullcontext() if shared else alone(arguments.out):
            # Of trials, not even the labels of the last candles may look at what comes later.
            known = [pair.until(searched[1]) for pair in pairs]
            trials = StudyWalks(known, searched, arguments, arguments.out / "trials")
            held = StudyWalks(pairs, held_out, arguments, arguments.out / "held")
            held.plan_baseline()
            with one_at_a_time(arguments.out / "begin.lock"):
                study = open_study(arguments.out, trials.plan(space), arguments.storage)
            trials.walk_baseline()
            seed, skill_of = arguments.seed or 0, trials.skill_of
            asking = arguments.out / "ask.lock" if shared else None
            search(study, space, arguments.trials, seed, skill_of, asking)
            with one_at_a_time(arguments.out / "report.lock"):
                for line in report(study, trials, held):
                    print(line)
            if n_others := len(at_work(study)):
                print(
                    f"note: {n_others} trial{'' if n_others == 1 else 's'} more had been begun "
                    "elsewhere; the same command tells once more when they have ended"
                )
    except OptunaError as error:
        raise CommandError(
            f"study: the trials cannot be kept ({' '.join(str(error).split())}); what is finished "
            "is kept, run again once they can"
        ) from error
    except OSError as error:
        raise CommandError(
            f"study: {error.filename or arguments.out} cannot be written ({error.strerror}); what "
            "is finished is kept"
        ) from error
    return 0


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
        default=30.0,
        metavar="N",
        help="that the baseline learns from, whose frequencies are the yardstick (30)",
    )
    command.add_argument(
        "--storage",
        metavar="URL",
        help="of a database, as Optuna takes it, for several machines that search together, with "
        "the same --out (default a journal in --out)",
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
    add_windows(command)
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="of all results")
    command.set_defaults(handler=_study, kind=None, **dict.fromkeys(_OF_NETWORKS))


STUDY = Command(_add)
