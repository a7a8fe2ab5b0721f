"""Make a folder of models fit to be loaded by a live bot, whatever has happened to it."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import cloudpickle

from dualwindow.market.files import set_aside, write_aside
from dualwindow_freqtrade.freqai.folder_use import is_trained_live
from dualwindow_freqtrade.freqai.names import (
    ALL_TRAININGS,
    GLOBAL_METADATA,
    METADATA_FILE,
    METRICS,
    OLDER_PREDICTIONS,
    PAIR_DICTIONARY,
    STORED_PREDICTIONS,
    STORED_PREDICTIONS_BACKUP,
)

logger = logging.getLogger(__name__)


def repair_folder(folder: Path) -> None:
    """Repair what FreqAI would stop at, which loads what it finds.

    Damaged files are renamed, so that FreqAI begins without them; predictions come back from
    their backup. What interrupted trainings and savings have left behind is removed.
    """
    for leftover in (*folder.glob("*.tmp"), *folder.glob(f"{OLDER_PREDICTIONS}/*/*.tmp")):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)
    for models in folder.glob(ALL_TRAININGS):
        if not any(models.glob(f"*{METADATA_FILE}")):
            shutil.rmtree(models)
    for name in (PAIR_DICTIONARY, GLOBAL_METADATA, METRICS):
        _set_aside_unless(folder / name, _is_json)
    path, backup = folder / STORED_PREDICTIONS, folder / STORED_PREDICTIONS_BACKUP
    _set_aside_unless(path, _is_pickle)
    _set_aside_unless(backup, _is_pickle)
    if backup.is_file() and not path.is_file():
        write_aside(path, backup.read_bytes())
        logger.warning("the predictions come from their backup, %s", backup)


def was_trained_live(folder: Path) -> bool:
    """Tell whether a bot has trained the model in a folder, and no backtest beside it."""
    found = list(folder.glob(f"*{METADATA_FILE}"))
    return len(found) == 1 and is_trained_live(found[0])


def _set_aside_unless(path: Path, is_whole: Callable[[Path], bool]) -> None:
    if path.is_file() and not is_whole(path):
        logger.warning("%s is damaged; it is now %s", path, set_aside(path).name)


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text()), dict)
    except ValueError:
        return False


def _is_pickle(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            cloudpickle.load(file)
    except (OSError, MemoryError):  # of the machine, not of the file
        raise
    except Exception:  # damaged pickles raise whatever they like
        return False
    return True
