"""Gather what a person asks to see of an identifier, with what only a workbench can find out."""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualwindow.judging.evidence import Evidence
from dualwindow.judging.findings import Parity
from dualwindow_freqtrade.reporting.places import Kept, chosen
from dualwindow_freqtrade.reporting.run_file import (
    BACKTEST_FILE,
    LIVE_FILE,
    Command,
    Run,
    RunError,
    read_run,
)
from dualwindow_freqtrade.reporting.write import evidence_in, report_folder

# Workbench imports freqtrade, which takes seconds; a backtest's report needs none of it.
if TYPE_CHECKING:
    from dualwindow_freqtrade.freqai.workbench import Workbench

_PARAMETERS = "run_params.json"  # FreqAI's: its block of the configuration as it was


def gathered(
    identifier: str | None, user_data: Path | None, words: Sequence[str], *, is_live: bool | None
) -> tuple[Evidence, Path]:
    """Gather the newest backtest or bot that is asked for.

    Parameters
    ----------
    identifier, user_data, is_live : as for `chosen`
    words : options of ``freqtrade backtesting``, which say more than the notes of the run; none as
        a rule

    Returns
    -------
    What was seen, and the folder that its report belongs in.

    Raises
    ------
    RunError
        If there is nothing, or something is damaged or not finished.
    """
    if words:
        config = _configuration(words)
        user_data = user_data or Path(config["user_data_dir"])
        identifier = identifier or config["freqai"]["identifier"]
    kept = chosen(user_data, identifier, is_live=is_live)
    evidence = evidence_in(kept.folder, is_live=kept.is_live)
    if evidence.live is not None:
        live = evidence.live.model_copy(update={"parity": _parity(kept, words)})
        evidence = replace(evidence, live=live)
    return evidence, report_folder(kept.folder, is_live=kept.is_live)


def _parity(kept: Kept, words: Sequence[str]) -> Parity:
    """Look whether a backtest predicts the same, or say why nobody can."""
    try:
        with _workbench(kept, words) as bench:
            from dualwindow_freqtrade.checks.parity import check_parity

            report = check_parity(bench)
    except Exception as error:  # a strategy may raise whatever it likes
        return Parity(checked=0, problems=(), notes=(f"it could not be looked at: {error}",))
    return Parity(
        checked=report.checked, problems=tuple(report.problems), notes=tuple(report.notes)
    )


@contextmanager
def _workbench(kept: Kept, words: Sequence[str]) -> "Iterator[Workbench]":
    """Set strategy and model up as they were, without freqtrade telling of its whole start."""
    from dualwindow_freqtrade.freqai.workbench import Workbench

    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield Workbench(_configuration(words) if words else _as_it_was(kept))
    finally:
        logging.disable(before)


def _configuration(words: Sequence[str]) -> dict[str, Any]:
    from freqtrade.exceptions import FreqtradeException

    from dualwindow_freqtrade.freqai.workbench import read_words_of_check

    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        config = read_words_of_check(words)
    except FreqtradeException as error:
        raise RunError(f"after --: {error}") from error
    finally:
        logging.disable(before)
    if "identifier" not in config.get("freqai", {}):
        raise RunError("after --: no freqai.identifier in the configuration; -c names it")
    return config


def _as_it_was(kept: Kept) -> dict[str, Any]:
    """Read the configuration of a run again, with FreqAI's block as it was."""
    run = read_run(kept.folder / (LIVE_FILE if kept.is_live else BACKTEST_FILE))
    config = _configuration(words_of(run))
    try:
        parameters = json.loads((kept.folder / _PARAMETERS).read_text())
    except (OSError, ValueError) as error:
        raise RunError(f"{kept.folder / _PARAMETERS} cannot be read: {error}") from error
    exchange = {**config["exchange"], "pair_whitelist": parameters["pairs"]}
    return {**config, "freqai": parameters["freqai"], "exchange": exchange}


def words_of(run: Run) -> list[str]:
    """Spell the options of a run for ``freqtrade backtesting``."""
    command: Command = run.command
    given = {
        "--userdir": command.user_data,
        "-d": run.market.candles,
        "--strategy": command.strategy,
        "--strategy-path": command.strategy_path,
        "--freqaimodel": command.model,
        "--freqaimodel-path": command.model_path,
    }
    files = [word for path in command.configurations for word in ("-c", str(path))]
    return files + [str(w) for name, value in given.items() if value for w in (name, value)]
