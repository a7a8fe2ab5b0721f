"""Let FreqUI and ``freqtrade plot-dataframe`` show what a strategy enters on."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from freqtrade.freqai.freqai_interface import IFreqaiModel
from pandas import DataFrame
from pydantic import ValidationError

from dualwindow.judging.decisions import Rule
from dualwindow.learning.metrics import skill
from dualwindow.learning.record import TrainingRecord
from dualwindow.market.labels import CLASSES, LONG, SHORT
from dualwindow_freqtrade.freqai.actions import PLOTS
from dualwindow_freqtrade.freqai.names import TRAINED_AT, record_files

# Columns beside those of the model: the probabilities from which on a rule enters, and what the
# model that has predicted the candle was worth on its validation part.
ENTERED_FROM = {SHORT: "SHORT_from", LONG: "LONG_from"}
SKILL = "skill"

# Of Okabe and Ito, told apart by everybody on black and on white; a threshold has the hue of the
# probability that it is of.
_COLOURS = {
    "LONG": "#56B4E9",
    "LONG_from": "#0072B2",
    "SHORT": "#E69F00",
    "SHORT_from": "#D55E00",
    "HOLD": "#999999",
}


def plot_config(*, can_short: bool, is_agent: bool = False) -> dict[str, Any]:
    """Say what is drawn below the candles, as freqtrade wants it of a strategy.

    Parameters
    ----------
    can_short : whether shorts are entered
    is_agent : whether an agent decides, which has no thresholds and holds positions
    """
    sides = () if is_agent else (SHORT, LONG) if can_short else (LONG,)
    drawn = [*reversed(CLASSES), *(ENTERED_FROM[side] for side in sides)]
    return {
        "main_plot": {},
        "subplots": {
            "probability": {name: {"color": _COLOURS[name]} for name in drawn},
            "do_predict": {"do_predict": {"color": "#CC79A7"}},
            "skill": {SKILL: {"color": "#009E73"}},
            **(PLOTS if is_agent else {}),
        },
    }


def add_thresholds(dataframe: DataFrame, rule: Rule, *, can_short: bool) -> None:
    """Add the probabilities from which on a rule enters; nothing is known of a candle for that."""
    for side, probability in rule.entered_from.items():
        if side == LONG or can_short:
            dataframe[ENTERED_FROM[side]] = probability


def with_skill(dataframe: DataFrame, pair: str, freqai: IFreqaiModel) -> DataFrame:
    """Add what the model of each candle was worth before it predicted any: its validation skill.

    1 - log loss / log loss of the class frequencies, on the latest part of the candles that it was
    trained on, all of which lie before the candle. It is the same live and in a backtest, and what
    there was to be seen at the time: what the model was worth afterwards, a report says.

    Parameters
    ----------
    dataframe : candles with what ``freqai.start`` has returned of them
    pair : whose candles
    freqai : the strategy's

    Returns
    -------
    A frame with a further column; NaN where nothing was predicted or no record is left.
    """
    if TRAINED_AT not in dataframe:  # before the first training of a bot
        return dataframe.assign(**{SKILL: np.nan})
    # FreqAI writes the time of a training beside candles that were never predicted, too.
    predicted = (dataframe[list(CLASSES)] > 0).any(axis=1)
    trained = dataframe[TRAINED_AT].where(predicted, 0).fillna(0).astype(np.int64)
    folder = Path(freqai.full_path)
    skills = {second: _skill_of(folder, pair, second) for second in trained.unique() if second}
    return dataframe.assign(**{SKILL: trained.map(skills).astype(np.float64)})


@lru_cache(maxsize=10_000)
def _skill_of(folder: Path, pair: str, second: int) -> float:
    """Read it from the record of a training, of which there is one file, written before it is used.

    What is there stays: a training of another moment has another name. What is not there is looked
    for again in the next process.
    """
    for path in record_files(folder, pair, second):
        try:
            found = TrainingRecord.from_json(path.read_text()).validation
        except (OSError, ValidationError):  # of another version, or damaged
            return np.nan
        return skill(found.log_loss, found.log_loss_of_frequencies)
    return np.nan
