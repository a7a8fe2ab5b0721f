"""Translate between FreqAI's frames and the core's arrays: labels, samples, predictions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.exceptions import OperationalException
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from pandas import DataFrame

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.judging.decisions import most_probable
from dualwindow.learning.artifact import Prediction
from dualwindow.learning.record import ClassCounts
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, UNKNOWN, Labelling
from dualwindow.samples.data import TrainingData
from dualwindow.settings import Settings
from dualwindow_freqtrade.freqai.names import COLUMNS, DO_PREDICT, TARGET, TRAINED_AT, trained_at

_DIGITS = 12


def true_labels(candles: Candles, settings: Settings) -> IntArray:
    """Label the candles by what came after them; UNKNOWN where the future has not happened."""
    return Labelling.of(settings).label(candles)


def with_targets(dataframe: DataFrame, labels: IntArray) -> DataFrame:
    """Add FreqAI's label column to n candles; `labels` are (n,)."""
    # UNKNOWN is -1 and picks the last name: missing, so it is never learnt as a class.
    names = np.array([*CLASSES, None], dtype=object)[labels]
    return dataframe.assign(**{TARGET: pd.Series(names, index=dataframe.index, dtype=object)})


def data_dictionary(
    dataframe: DataFrame, candles: Candles, dk: FreqaiDataKitchen
) -> dict[str, Any]:
    """Lay out the rows to train on as FreqAI stores them, and its candles beside them.

    Raises
    ------
    ValueError
        If the strategy makes labels of its own.
    """
    if dk.label_list != [TARGET]:
        raise ValueError(
            f"the strategy's set_freqai_targets must be 'return "
            f"self.freqai.set_targets(dataframe)'. Received labels: {dk.label_list}"
        )
    return {
        "candles": candles,
        "train_features": dataframe[dk.training_features_list],
        "train_labels": dataframe[dk.label_list],
        "train_dates": dataframe["date"],
    }


def training_data(pair: str, dictionary: Mapping[str, Any]) -> TrainingData:
    """Hand candles, features and labels of a `data_dictionary` to the core."""
    codes = {name: code for code, name in enumerate(CLASSES)}
    return TrainingData(
        pair,
        dictionary["candles"],
        dictionary["train_features"].to_numpy(np.float64),
        tuple(dictionary["train_features"].columns),
        dictionary["train_labels"][TARGET].map(codes).fillna(UNKNOWN).to_numpy(np.int8),
    )


def feature_rows(dataframe: DataFrame, names: Sequence[str], pair: str) -> FloatArray:
    """Return the (n, f) features of n candles in the order of the f `names`."""
    missing = [name for name in names if name not in dataframe]
    if missing:
        raise OperationalException(
            f"{pair}: the model was trained with features {missing} that the strategy no "
            "longer computes; set another freqai.identifier"
        )
    return dataframe[list(names)].to_numpy(np.float64)


def predicted_frame(prediction: Prediction) -> DataFrame:
    """Lay the prediction of n candles out in FreqAI's columns."""
    # FreqAI's convention for "no prediction" is 0 with do_predict 0: it fits statistics to
    # these columns and cannot take NaN there.
    both = np.nan_to_num(np.hstack([prediction.probabilities, prediction.scores]))
    names = np.array(CLASSES, dtype=object)[most_probable(prediction.probabilities)]
    return _laid_out(both, np.where(prediction.valid, names, "UNKNOWN").astype(object))


def _laid_out(values: FloatArray, names: np.ndarray) -> DataFrame:
    frame = DataFrame(values, columns=list(COLUMNS))
    frame.insert(0, TARGET, names)
    return frame


def nothing_predicted(n: int, beside: Sequence[str] = ()) -> DataFrame:
    """Lay out n candles that were not predicted; `beside` names further columns of the model."""
    frame = _laid_out(np.zeros((n, len(COLUMNS))), np.full(n, "UNKNOWN", dtype=object))
    return frame.assign(**dict.fromkeys(beside, 0.0))


def withdraw_newest(frame: DataFrame, beside: Sequence[str] = ()) -> None:
    """Make the newest row of a frame no prediction, whatever FreqAI has stored of it."""
    newest = frame.index[-1]
    frame.loc[newest, list(beside)] = 0
    if frame.loc[newest, DO_PREDICT] != 1:  # 2 says that the model has expired
        return
    frame.loc[newest, [*COLUMNS, DO_PREDICT]] = 0
    frame.loc[newest, TARGET] = "UNKNOWN"


def describe_prediction(
    prediction: Prediction, dk: FreqaiDataKitchen, *, is_constant: bool
) -> None:
    """Tell FreqAI which rows are predictions to enter on, and what their columns are.

    Those of a model whose probabilities are constant are none, whatever a strategy asks for.
    """
    dk.unique_class_list = list(COLUMNS)
    dk.DI_values = prediction.dissimilarity
    dk.do_predict = (prediction.valid & (not is_constant)).astype(np.int_)


def describe_training(
    counts: ClassCounts, dk: FreqaiDataKitchen, beside: Sequence[str] = ()
) -> None:
    """Tell FreqAI what it wants to know of a training: its time, and the statistics of columns.

    FreqAI looks up the mean and the deviation of each returned column live and fails with a
    KeyError where one is missing, as for a class that is absent; its own list grows by one copy of
    the classes per backtest window.

    Parameters
    ----------
    counts : labels of the training part
    dk : of the pair that was trained
    beside : further columns of the model; they have no statistics
    """
    dk.unique_class_list = [*COLUMNS, *beside]
    total = max(counts.total, 1)
    shares = {name: getattr(counts, name.removesuffix("_raw")) / total for name in COLUMNS}
    shares |= dict.fromkeys(beside, 0.0)
    # Of longer numbers FreqAI's reader of JSON loses the last bit: a window that is predicted by a
    # saved model would differ from one that was predicted where the model was trained.
    dk.data["labels_mean"] = {name: round(share, _DIGITS) for name, share in shares.items()}
    dk.data["labels_std"] = {n: round((p * (1 - p)) ** 0.5, _DIGITS) for n, p in shares.items()}
    # Live, FreqAI names the files only after training; the timestamp is already in the path.
    second = trained_at(dk.data_path)
    dk.data["extra_returns_per_train"] = {
        **dk.data["extra_returns_per_train"],
        TRAINED_AT: second,
    }
    dk.set_new_model_names(dk.pair, second)
