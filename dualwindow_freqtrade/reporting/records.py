"""Find the record of a training that a bot has done, also after its model was purged."""

from pathlib import Path

import cloudpickle

from dualwindow.learning.record import TrainingRecord
from dualwindow_freqtrade.freqai.names import MODEL_FILE, record_files, trainings_of
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
    for path in record_files(folder, pair, trained):
        return read_record(path)
    models = f"{trainings_of(pair).replace('*', str(trained))}/*{MODEL_FILE}"
    for path in sorted(folder.glob(models)):  # that was handed to the pair
        try:
            record: TrainingRecord = cloudpickle.loads(path.read_bytes()).record
        except Exception:  # damaged pickles raise whatever they like
            return None
        return record
    return None
