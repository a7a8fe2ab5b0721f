"""Tell whether a folder of FreqAI's holds what a bot has made, and must not be thrown away."""

import json
from pathlib import Path

from dualwindow_freqtrade.freqai.names import (
    ALL_TRAININGS,
    METADATA_FILE,
    OLDER_PREDICTIONS,
    STORED_PREDICTIONS,
    STORED_PREDICTIONS_BACKUP,
    TRAINED_LIVE,
)

_STATUS = "dualwindow_status.json"


def is_used_live(folder: Path) -> bool:
    """Tell whether live predictions, a bot's status or a model that a bot has trained lie there.

    Parameters
    ----------
    folder : of an identifier, or of one training
    """
    names = (STORED_PREDICTIONS, STORED_PREDICTIONS_BACKUP, OLDER_PREDICTIONS, _STATUS)
    if any((folder / name).exists() for name in names):
        return True
    patterns = (f"*{METADATA_FILE}", f"{ALL_TRAININGS}/*{METADATA_FILE}")
    return any(is_trained_live(path) for pattern in patterns for path in folder.glob(pattern))


def is_trained_live(metadata: Path) -> bool:
    """Tell by FreqAI's metadata whether a bot has trained a model, and no backtest."""
    try:
        return bool(json.loads(metadata.read_text()).get(TRAINED_LIVE))
    except (OSError, ValueError):  # none, or damaged
        return False


def remedy(folder: Path) -> str:
    """Say what to do about files that a backtest cannot use: never to delete what a bot has made.

    Parameters
    ----------
    folder : of the identifier, or of one training
    """
    other = "set another freqai.identifier"
    if is_used_live(folder):
        return f"{other}, and leave {folder} alone: a bot's predictions or models lie in it"
    return f"{other}, or delete {folder}"
