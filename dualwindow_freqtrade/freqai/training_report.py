"""Say what a training was: lines in the log, and a JSON file beside FreqAI's."""

import logging

from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

from dualwindow.learning.record import TrainingRecord
from dualwindow.models.classifier import Epoch
from dualwindow_freqtrade.freqai.configuration import translated
from dualwindow_freqtrade.freqai.names import REPORT_FILE as REPORT_FILE

logger = logging.getLogger(__name__)


def log_epoch(pair: str, epoch: Epoch) -> None:
    """Log one line per epoch."""
    logger.info(
        "%s epoch %d/%d: loss %.4f, validation loss %.4f, rate %.2g, %.1f s",
        pair,
        epoch.number,
        epoch.most,
        epoch.loss,
        epoch.validation_loss,
        epoch.learning_rate,
        epoch.seconds,
    )


def report_training(record: TrainingRecord, dk: FreqaiDataKitchen, *, is_continual: bool) -> None:
    """Log what a training was, and write it beside FreqAI's files.

    Of a training that several pairs share, `log_shared` logs what is of all of them.

    Parameters
    ----------
    record : of the trained artifact
    dk : of the pair, which knows where the files go
    is_continual : whether it might have gone on from the model before
    """
    if record.left_out:
        why = translated(record.left_out)
        logger.warning("%s has the model of other pairs: %s", dk.pair, why)
    elif record.learnt_from:
        logger.info("%s: learnt from %d candles%s", dk.pair, record.candles, _dropped(record))
    else:
        _log_training(dk.pair, record, f" of {record.candles} candles{_dropped(record)}")
        if is_continual:
            _log_start(dk.pair, record)
    dk.data_path.mkdir(parents=True, exist_ok=True)
    path = dk.data_path / f"{dk.model_filename}{REPORT_FILE}"
    path.write_text(record.to_json())


def log_shared(record: TrainingRecord, *, is_continual: bool) -> None:
    """Log what a training of several pairs was.

    Parameters
    ----------
    record : of any of the pairs
    is_continual : whether it might have gone on from the model before
    """
    names = f"{', '.join(record.learnt_from)} together"
    _log_training(names, record, " windows")
    if is_continual:
        _log_start(names, record)


def _dropped(record: TrainingRecord) -> str:
    dropped = ", ".join(f"{n} {reason}" for reason, n in record.rejected.items() if n)
    return f" (dropped: {dropped or 'none'})"


def _log_training(name: str, record: TrainingRecord, of_what: str) -> None:
    epochs = f"best epoch {record.best_epoch} of {len(record.epochs)}, " if record.epochs else ""
    logger.info(
        "%s trained on %s and validated on %d%s; %s%.0f s on %s; "
        "calibrated by %s; validation log loss %.4f (raw scores %.4f, class frequencies %.4f)%s%s",
        name,
        record.training_windows,
        record.validation_windows.total,
        of_what,
        epochs,
        record.seconds,
        record.device,
        record.calibration.method,
        record.validation.log_loss,
        record.validation.log_loss_of_raw_scores,
        record.validation.log_loss_of_frequencies,
        "" if record.delta is None else f"; labels of delta {record.delta:.6f}",
        "; it tells no two candles apart: do_predict is 0 for all, so nothing is entered on it"
        if record.is_constant
        else "",
    )
    for remark in record.calibration.remarks:
        logger.warning("%s calibration: %s", name, remark)


def _log_start(pair: str, record: TrainingRecord) -> None:
    if record.start_loss is None:
        logger.info("%s began with new weights", pair)
        return
    logger.info(
        "%s began with the weights of the model before, validation loss %.4f%s",
        pair,
        record.start_loss,
        "" if record.best_epoch else "; no epoch was better, so they stay",
    )
