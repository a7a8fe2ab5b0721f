"""Find the record of a training that a bot has done, also after its model was purged."""

from pathlib import Path

import cloudpickle

from dualwindow.learning.record import TrainingRecord
from dualwindow_freqtrade.freqai.names import KEPT_RECORDS, MODEL_FILE, REPORT_FILE
from dualwindow_freqtrade.reporting.backtest import read_record


def record_of_training(folder: Path, pair: str, trained: int) -> TrainingRecord | None:
    """Find the record of the model that a pair had; None if it is gone.

    Parameters
    ----------
    folder : of the identifier
    pair : whose model
    trained : second of its training

    Raises
    ------
    RunError
        If it is damaged, or of another version.
    """
    name = f"sub-train-{pair.split('/')[0]}_{trained}"
    for place in (folder / name, folder / KEPT_RECORDS / name):
        for path in sorted(place.glob(f"*{REPORT_FILE}")):
            return read_record(path)
    for path in sorted((folder / name).glob(f"*{MODEL_FILE}")):  # that was handed to the pair
        try:
            record: TrainingRecord = cloudpickle.loads(path.read_bytes()).record
        except Exception:  # damaged pickles raise whatever they like
            return None
        return record
    return None
