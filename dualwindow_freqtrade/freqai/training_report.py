"""Say what a training was: lines in the log, and a JSON file beside FreqAI's."""

import logging

from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

from dualwindow.learning.record import TrainingRecord
from dualwindow.models.classifier import Epoch
from dualwindow_freqtrade.freqai.configuration import translated
from dualwindow_freqtrade.freqai.names import REPORT_FILE

logger = logging.getLogger(__name__)


# Reasons to drop candles that say nothing: each training has them, and always as many.
_ROUTINE = {
    "too few candles before",
    "future unknown",
    "purged between training and validation",
    "between strides",
    "thinned by balancing",
}
_LONG_EPOCH = 5.0  # seconds; shorter ones are progress that nobody waits for


def log_epoch(pair: str, epoch: Epoch) -> None:
    """Log one line per epoch, for those who debug where epochs are short."""
    logger.log(
        logging.INFO if epoch.seconds >= _LONG_EPOCH else logging.DEBUG,
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
        level = logging.INFO if _dropped(record) else logging.DEBUG
        told = (dk.pair, record.candles, _dropped(record))
        logger.log(level, "%s: learnt from %d candles%s", *told)
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
    """Name what candles lack; what every training leaves out is in its file."""
    told = [f"{n} {why}" for why, n in record.rejected.items() if n and why not in _ROUTINE]
    return f" (dropped: {', '.join(told)})" if told else ""


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
