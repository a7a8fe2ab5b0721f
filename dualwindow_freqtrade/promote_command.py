"""The command ``dualwindow promote``: a backtest's newest models become those of a live bot."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualwindow.cli import Command, CommandError, Topics
from dualwindow.outside import epoch_seconds

if TYPE_CHECKING:
    from dualwindow_freqtrade.promotion.candidates import Candidate

# The handlers import what they need, so that --help does not wait for freqtrade.
_REFUSED = 1


def _promote(arguments: argparse.Namespace) -> int:
    import logging

    from dualwindow_freqtrade.freqai.threads import quiet_tensorflow

    quiet_tensorflow()
    if arguments.undo == (arguments.source is not None):
        raise CommandError("promote: say --from ID, whose models are promoted, or --undo")
    logging.disable(logging.INFO)  # freqtrade tells its whole start
    try:
        with _told():
            return _undo(arguments) if arguments.undo else _forward(arguments)
    finally:
        logging.disable(logging.NOTSET)


@contextmanager
def _told() -> Iterator[None]:
    """Tell what is wrong as a command does."""
    from freqtrade.exceptions import FreqtradeException

    from dualwindow_freqtrade.live.presence import BotRunsError
    from dualwindow_freqtrade.promotion.publishing import PromotionError

    try:
        yield
    except BotRunsError as error:
        raise CommandError(
            f"promote: {error}: it would write its own models over these; stop it first"
        ) from error
    except (FreqtradeException, PromotionError) as error:
        raise CommandError(f"promote: {error}") from error
    except OSError as error:
        raise CommandError(f"promote: {error}; nothing was changed for a bot") from error


def _forward(arguments: argparse.Namespace) -> int:
    from dualwindow_freqtrade.freqai.workbench import Workbench
    from dualwindow_freqtrade.live.presence import without_bot
    from dualwindow_freqtrade.promotion.candidates import candidates
    from dualwindow_freqtrade.promotion.publishing import newest_live, publish

    config = live_configuration(arguments.rest, arguments.source)
    models = Path(config["user_data_dir"], "models")
    _refuse_identifiers(arguments, models)
    target = models / arguments.target
    if target.is_dir():
        with without_bot(target):  # before the models are proved, which takes a while
            pass
    bench = Workbench(config)
    if bench.model.columns_beside:
        raise CommandError(
            "promote: an agent goes on from the positions that it holds, which a backtest's are "
            "not; let the bot train its own"
        )
    now = epoch_seconds()
    found = candidates(bench, newest_live(target), now)
    _tell(found)
    if all(each.folder is None for each in found):
        raise CommandError(
            f"promote: no model of a backtest lies in {bench.folder}; a backtest keeps them with "
            "freqai.save_backtest_models true, or FREQTRADE__FREQAI__SAVE_BACKTEST_MODELS=true "
            "before the command; windows that are cached already are not trained again, so take "
            "another freqai.identifier"
        )
    sound = [each for each in found if not each.against]
    n_refused = len(found) - len(sound)
    if not sound:
        raise CommandError("promote: none of the models can be promoted; nothing was changed")
    if arguments.dry_run:
        print(f"nothing was changed; {len(sound)} would be promoted to {target}")
        return _REFUSED if n_refused else 0
    for line in publish(sound, target, arguments.source, now):
        print(line)
    print(f"back: dualwindow promote --undo --to {arguments.target}, with the same options")
    return _REFUSED if n_refused else 0


def _undo(arguments: argparse.Namespace) -> int:
    from dualwindow_freqtrade.promotion.publishing import undo

    config = live_configuration(arguments.rest, arguments.target)
    models = Path(config["user_data_dir"], "models")
    _refuse_identifiers(arguments, models)
    if arguments.dry_run:
        raise CommandError("promote: --undo and --dry-run: give one of them")
    for line in undo(models / arguments.target):
        print(line)
    return 0


def live_configuration(words: Sequence[str], identifier: str) -> dict[str, Any]:
    """Read the configuration as ``freqtrade trade`` does, for a workbench on an identifier.

    Parameters
    ----------
    words : options of ``freqtrade trade``
    identifier : that takes the place of the configuration's

    Raises
    ------
    CommandError
        If it has no block ``freqai``.
    """
    from dualwindow_freqtrade.freqai.workbench import read_words_of_check

    config = read_words_of_check(words, "trade")
    if not config.get("freqai"):
        raise CommandError("promote: the configuration has no block 'freqai'; give it with -- -c")
    config["freqai"]["identifier"] = identifier
    return config


def _refuse_identifiers(arguments: argparse.Namespace, models: Path) -> None:
    from dualwindow_freqtrade.freqai.keys import is_folder_name

    for flag, identifier in (("--from", arguments.source), ("--to", arguments.target)):
        if identifier is not None and not is_folder_name(identifier):
            raise CommandError(
                f"promote: {flag} must be a plain name: it is a folder in {models}. Received: "
                f"{identifier!r}"
            )
    if arguments.source == arguments.target:
        raise CommandError(
            "promote: --from and --to are the same; a bot takes up no model that a backtest has "
            "made under its own identifier, so backtest under another"
        )
    wanted = arguments.target if arguments.undo else arguments.source
    if not (models / wanted).is_dir():
        there = ", ".join(sorted(p.name for p in models.glob("*") if p.is_dir())) or "none"
        raise CommandError(f"promote: there is no {models / wanted}; there are: {there}")


def _tell(found: Sequence["Candidate"]) -> None:
    for each in found:
        name = each.folder.name if each.folder is not None else "no model"
        if each.against:
            print(f"{each.pair}: {name} is not promoted: {'; '.join(each.against)}")
            continue
        print(f"{each.pair}: {name} predicts {each.checked:,} candles of its backtest again, alike")
        for remark in each.remarks:
            print(f"  {remark}")


def _add(topics: Topics) -> None:
    command = topics.add_parser(
        "promote",
        usage="dualwindow promote --from ID --to ID [--dry-run] [-- OPTIONS OF freqtrade trade]\n"
        "       dualwindow promote --undo --to ID [-- OPTIONS OF freqtrade trade]",
        help="let a live bot begin with the newest models of a backtest",
        description="Let a bot of one identifier begin with the newest model of each pair that a "
        "backtest of another one has kept, if its settings would have made it and it predicts "
        "what it has predicted there.",
    )
    command.add_argument("--from", dest="source", metavar="ID", help="identifier of the backtest")
    command.add_argument(
        "--to", dest="target", metavar="ID", required=True, help="identifier of the bot"
    )
    command.add_argument(
        "--dry-run", action="store_true", help="say what would happen, and change nothing"
    )
    command.add_argument(
        "--undo", action="store_true", help="go back to the models of before the last promotion"
    )
    command.set_defaults(handler=_promote, takes_rest=True)


PROMOTE = Command(_add, takes_rest=("promote",))
