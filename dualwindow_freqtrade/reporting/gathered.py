"""Gather what a person asks to see of an identifier, with what only a workbench can find out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dualwindow.judging.evidence import Evidence
from dualwindow.judging.findings import Parity
from dualwindow_freqtrade.freqai.names import ALL_TRAININGS, MODEL_FILE
from dualwindow_freqtrade.reporting.places import Kept, chosen
from dualwindow_freqtrade.reporting.run_file import BACKTEST_FILE, LIVE_FILE, read_run
from dualwindow_freqtrade.reporting.write import evidence_in, report_folder


def gathered(
    identifier: str | None,
    user_data: Path | None,
    words: Sequence[str],
    *,
    is_live: bool | None,
    is_patient: bool,
) -> tuple[Evidence, Path]:
    """Gather the newest backtest or bot that is asked for.

    Parameters
    ----------
    identifier, user_data, is_live : as for `chosen`
    words : options of ``freqtrade backtesting``, which say more than the notes of the run; none as
        a rule
    is_patient : whether importances of features may take long

    Returns
    -------
    What was seen, and the folder that its report belongs in.

    Raises
    ------
    RunError
        If there is nothing, or something is damaged or not finished.
    """
    config = None
    if words:
        # Here, because freqtrade takes seconds to import, and most reports need none of it.
        from dualwindow_freqtrade.reporting.benched import configuration_of_words

        config = configuration_of_words(words)
        user_data = user_data or Path(config["user_data_dir"])
        identifier = identifier or config["freqai"]["identifier"]
    kept = chosen(user_data, identifier, is_live=is_live)
    evidence = evidence_in(kept.folder, is_live=kept.is_live)
    has_models = any(kept.folder.glob(f"{ALL_TRAININGS}/*{MODEL_FILE}"))
    if has_models or evidence.live is not None:
        evidence = _with_benched(evidence, kept, config, is_patient=is_patient)
    return evidence, report_folder(kept.folder, is_live=kept.is_live)


def _with_benched(
    evidence: Evidence, kept: Kept, config: dict[str, Any] | None, *, is_patient: bool
) -> Evidence:
    """Add what takes the strategy at work; without it the rest of the report is as good."""
    from dualwindow_freqtrade.reporting.benched import (
        configuration_of_run,
        importances_of,
        parity_of,
        workbench,
    )

    if config is None:
        name = LIVE_FILE if kept.is_live else BACKTEST_FILE
        config = configuration_of_run(read_run(kept.folder / name).command)
    # Those with predictions: a pattern or a pairlist names none without an exchange.
    pairs = sorted(evidence.candles)
    exchange = {**config["exchange"], "pair_whitelist": pairs, "pair_blacklist": []}
    live = evidence.live
    try:
        with workbench({**config, "exchange": exchange}) as bench:
            found, notes = importances_of(bench, pairs, is_patient=is_patient)
            parity = None if live is None else parity_of(bench)
    except Exception as error:  # a strategy may raise whatever it likes
        why = (
            f"the strategy could not be set up as it was ({error}); give its options after -- to "
            "see importances of features, and of a bot whether a backtest agrees"
        )
        found, notes, parity = (), (why,), Parity(checked=0, problems=(), notes=(why,))
    if live is not None and parity is not None:
        live = live.model_copy(update={"parity": parity})
    return replace(evidence, importances=found, live=live, warnings=(*evidence.warnings, *notes))
