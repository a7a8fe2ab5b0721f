"""Say what a training was: lines in the log, and a JSON file beside FreqAI's."""

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

if TYPE_CHECKING:
    from dualwindow.models.network import Epoch

logger = logging.getLogger(__name__)

REPORT_FILE = "_dualwindow.json"  # behind FreqAI's name of the model


def log_epoch(pair: str, n_epochs: int, epoch: "Epoch") -> None:
    """Log one line per epoch, of at most `n_epochs`."""
    logger.info(
        "%s epoch %d/%d: loss %.4f, validation loss %.4f, rate %.2g, %.1f s",
        pair,
        epoch.number,
        n_epochs,
        epoch.loss,
        epoch.validation_loss,
        epoch.learning_rate,
        epoch.seconds,
    )


def report_training(facts: Mapping[str, Any], dk: FreqaiDataKitchen, *, is_continual: bool) -> None:
    """Log what a training was, and write it beside FreqAI's files.

    Parameters
    ----------
    facts : the metadata of the trained artifact
    dk : of the pair, which knows where the files go
    is_continual : whether it might have gone on from the model before
    """
    _log_training(dk.pair, facts)
    if is_continual:
        _log_start(dk.pair, facts)
    for remark in facts["calibration"]["remarks"]:
        logger.warning("%s calibration: %s", dk.pair, remark)
    dk.data_path.mkdir(parents=True, exist_ok=True)
    path = dk.data_path / f"{dk.model_filename}{REPORT_FILE}"
    path.write_text(json.dumps(facts, indent=1))


def _log_training(pair: str, facts: Mapping[str, Any]) -> None:
    dropped = ", ".join(f"{n} {reason}" for reason, n in facts["rejected"].items() if n)
    logger.info(
        "%s trained on %s and validated on %d of %d candles (dropped: %s); best epoch %d of "
        "%d, %.0f s on %s; calibrated by %s; validation log loss %.4f (raw scores %.4f, class "
        "frequencies %.4f)",
        pair,
        " + ".join(f"{n} {name}" for name, n in facts["training_windows"].items()),
        sum(facts["validation_windows"].values()),
        facts["candles"],
        dropped or "none",
        facts["best_epoch"],
        len(facts["epochs"]),
        facts["seconds"],
        facts["device"],
        facts["calibration"]["method"],
        facts["validation"]["log_loss"],
        facts["validation"]["log_loss_of_raw_scores"],
        facts["validation"]["log_loss_of_frequencies"],
    )


def _log_start(pair: str, facts: Mapping[str, Any]) -> None:
    if facts["warm_start"]:
        logger.info(
            "%s began with the weights of the model before, validation loss %.4f%s",
            pair,
            facts["warm_start"]["validation_loss"],
            "" if facts["best_epoch"] else "; no epoch was better, so they stay",
        )
    else:
        logger.info("%s began with new weights", pair)
