"""Spell every file and column name that FreqAI and its models share, once."""

import re
from collections.abc import Sequence
from pathlib import Path

from dualwindow.market.labels import CLASSES

# Columns that the model returns, beside FreqAI's own.
TARGET = "&-signal"
RAW_SCORES = tuple(f"{name}_raw" for name in CLASSES)
COLUMNS = (*CLASSES, *RAW_SCORES)
# Columns that a model returns which acts on its predictions: the position that it wants from the
# next open on (1 long, -1 short, 0 flat); the one held when it decided, with the price at which
# that was opened and the candles since. All are 0 where it has decided nothing.
ACTION, POSITION = "action", "position"
ACTING = (ACTION, POSITION, "position_rate", "position_candles")
# Column of FreqAI's stored predictions: when the model that made them was trained.
TRAINED_AT = "model_timestamp"
DO_PREDICT = "do_predict"
DATE_OF_PREDICTION = "date_pred"
DISSIMILARITY = "DI_values"
PRICES = ("high_price", "low_price", "close_price")
# In FreqAI's metadata of a training: whether a live bot has done it.
TRAINED_LIVE = "trained_live"
FEATURE_PREFIX, LABEL_PREFIX = "%", "&"

# Files in the folder of an identifier.
STORED_PREDICTIONS = "historic_predictions.pkl"
STORED_PREDICTIONS_BACKUP = "historic_predictions.backup.pkl"
OLDER_PREDICTIONS = "predictions"  # a folder; the files in it are ours
KEPT_RECORDS = "records"  # a folder, ours too: of trainings whose models were purged
PAIR_DICTIONARY = "pair_dictionary.json"
GLOBAL_METADATA = "global_metadata.json"
METRICS = "metric_tracker.json"
BACKTEST_FOLDER = "backtesting_predictions"

# Files of one training, behind FreqAI's name of the model.
MODEL_FILE = "_model.joblib"
METADATA_FILE = "_metadata.json"
FEATURE_PIPELINE = "_feature_pipeline.pkl"
LABEL_PIPELINE = "_label_pipeline.pkl"
TRAINED_ROWS = "_trained_df.pkl"
TRAINED_DATES = "_trained_dates_df.pkl"
BACKTEST_PREDICTION = "_prediction.feather"
REPORT_FILE = "_dualwindow.json"  # ours: the record of the training

ALL_TRAININGS = "sub-train-*"


def trainings_of(pair: str) -> str:
    """Return the pattern of the folders in which the models of a pair lie.

    Examples
    --------
    >>> trainings_of("BTC/USDT:USDT")
    'sub-train-BTC_*'
    """
    return f"sub-train-{pair.split('/')[0]}_*"


def model_name(pair: str, second: int) -> str:
    """Give FreqAI's name of a model, with which its files begin, by the second of its training.

    Examples
    --------
    >>> model_name("BTC/USDT:USDT", 1706832000)
    'cb_btc_1706832000'
    """
    return f"cb_{pair.split('/')[0].lower()}_{second}"


def record_files(folder: Path, pair: str, second: int) -> list[Path]:
    """Find the records of one training of a bot, also after its model was purged.

    Parameters
    ----------
    folder : of the identifier
    pair, second : whose training, and when, since 1970 UTC
    """
    name = trainings_of(pair).replace("*", str(second))
    places = (folder / name, folder / KEPT_RECORDS / name)
    return [path for place in places for path in sorted(place.glob(f"*{REPORT_FILE}"))]


def trained_at(folder: Path) -> int:
    """Read the second of a training, since 1970 UTC, in the name of its folder.

    Examples
    --------
    >>> trained_at(Path("models/mine/sub-train-BTC_1706832000"))
    1706832000
    """
    return int(folder.name.rpartition("_")[2])


def coin_of(folder: Path) -> str:
    """Return what the folders of all trainings of one coin have in common.

    Examples
    --------
    >>> coin_of(Path("models/mine/sub-train-BTC_1706832000"))
    'sub-train-BTC'
    """
    return folder.name.rpartition("_")[0]


def names_for(pair: str, features: Sequence[str], other: str) -> tuple[str, ...]:
    """Give the features of another pair the names that FreqAI gives those of this one.

    It ends names of what a strategy expands with the pair and the timeframe, without colons.

    Examples
    --------
    >>> names_for("ETH/USDT:USDT", ["%-hour", "%-rsi-period_10_BTC/USDTUSDT_1h"], "BTC/USDT:USDT")
    ('%-hour', '%-rsi-period_10_ETH/USDTUSDT_1h')
    """
    form = re.compile(rf"_{re.escape(other.replace(':', ''))}_([^_]+)$")
    return tuple(form.sub(rf"_{pair.replace(':', '')}_\1", name) for name in features)
