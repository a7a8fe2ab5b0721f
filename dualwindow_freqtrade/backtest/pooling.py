"""Let all pairs of a FreqAI backtest share the training of each window.

FreqAI asks for one pair after the other, and of each for one window after the other. The first
pair that asks for a window trains for all; the others find their models here.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from freqtrade.configuration import TimeRange
from freqtrade.exceptions import OperationalException
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.freqai.freqai_interface import IFreqaiModel
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from dualwindow.learning.artifact import Artifact
from dualwindow.market.candles import Candles
from dualwindow.market.labels import Labelling
from dualwindow.samples.data import TrainingData
from dualwindow.samples.pair_data import PairData
from dualwindow.settings import Settings
from dualwindow_freqtrade.freqai.fingerprint import digest_candles
from dualwindow_freqtrade.freqai.names import trained_at
from dualwindow_freqtrade.freqai.whitelist import whitelist_of

logger = logging.getLogger(__name__)

Learn = Callable[[Sequence[TrainingData]], dict[str, Artifact]]


class _Waiting(NamedTuple):
    """A model that its pair has not asked for yet, and how many candles it was learnt from."""

    model: Artifact
    n_candles: int


class SharedTrainings:
    """The trainings of a backtest, each for all pairs of the whitelist.

    Parameters
    ----------
    model : FreqAI's
    settings : what shapes a training
    strategy : computes the features of all pairs, and knows the whitelist
    """

    def __init__(self, model: IFreqaiModel, settings: Settings, strategy: IStrategy) -> None:
        self._model, self._settings, self._strategy = model, settings, strategy
        self._featured: dict[str, PairData] = {}
        self._waiting: dict[tuple[int, str], _Waiting] = {}
        self._digests: dict[tuple[datetime, datetime], str] = {}

    @cached_property
    def pairs(self) -> list[str]:
        """All pairs that have candles, in the order of their names."""
        dp, features = self._strategy.dp, self._model.ft_params
        found = []
        for pair in sorted(whitelist_of(self._strategy)):
            empty = [
                timeframe
                for timeframe in features["include_timeframes"]
                if dp.get_pair_dataframe(pair, timeframe).empty
            ]
            if empty:
                logger.warning("%s is not learnt from, it has no %s candles", pair, empty)
            else:
                found.append(pair)
        return found

    def digest(
        self, dk: FreqaiDataKitchen, corr_pairs: list[str], start: datetime, stop: datetime
    ) -> str:
        """Name all pairs and digest their candles, as `digest_between` does."""
        if (start, stop) not in self._digests:
            frames = candle_frames(dict.fromkeys([*self.pairs, *corr_pairs]), dk, self._strategy)
            self._digests[start, stop] = digest_between(frames, start, stop)
        return f"{', '.join(self.pairs)} {self._digests[start, stop]}"

    def model_of(self, data: TrainingData, dk: FreqaiDataKitchen, learn: Learn) -> Artifact:
        """Train all pairs on the window that FreqAI is at, unless that has been done.

        Parameters
        ----------
        data : that FreqAI has cut out of the candles of the pair of `dk`
        dk : of this pair, and where its model will be saved
        learn : gives a model to each of several pairs

        Raises
        ------
        OperationalException
            If the pair was learnt from with other data than FreqAI hands over now.
        """
        second = trained_at(dk.data_path)
        waiting = self._waiting.pop((second, data.pair), None)
        if waiting is not None:
            _refuse_other_data(waiting, data)
            return waiting.model
        others = list(self._others(data.pair, self._model.training_timerange))
        models = learn([data, *others])
        for other in others:
            model = models[other.pair]
            self._waiting[second, other.pair] = _Waiting(model, len(other.candles))
        return models[data.pair]

    def forget(self) -> None:
        """Forget models that no pair will ask for."""
        self._waiting.clear()

    def _others(self, pair: str, window: TimeRange) -> Iterator[TrainingData]:
        """Cut the window out of the candles of all other pairs, as FreqAI does."""
        labelling = Labelling.of(self._settings)
        for other in self.pairs:
            if other == pair:
                continue
            if other not in self._featured:
                self._featured[other] = self._compute(other)
            data = self._featured[other]
            yield data.between(window.startts, window.stopts, labelling)

    def _compute(self, pair: str) -> PairData:
        """Let the strategy compute the features of all candles of a pair."""
        frame = self._strategy.dp.get_pair_dataframe(pair, self._model.config["timeframe"])
        dk = FreqaiDataKitchen(self._model.config, live=False, pair=pair)
        frame = dk.use_strategy_to_populate_indicators(
            self._strategy, prediction_dataframe=frame, pair=pair
        )
        frame = dk.remove_special_chars_from_feature_names(frame)
        dk.find_features(frame)
        names = tuple(dk.training_features_list)
        candles = Candles.from_frame(frame, self._model.base_tf_seconds)
        return PairData(pair, candles, frame[list(names)].to_numpy(np.float64), names)


def _refuse_other_data(waiting: _Waiting, data: TrainingData) -> None:
    """Make sure that what was learnt from is what FreqAI hands over for this pair."""
    seen = waiting.model.context
    given = data.candles[max(len(data.candles) - len(seen), 0) :]
    same = waiting.n_candles == len(data.candles) and all(
        np.array_equal(getattr(seen, name), getattr(given, name), equal_nan=True)
        for name in ("date", "high", "low", "close", "volume")
    )
    if not same:
        raise OperationalException(
            f"{data.pair}: freqtrade hands over other candles than those that were learnt from "
            "together with other pairs; set freqai.dual_window.pooling to 'pair'"
        )


def candle_frames(
    pairs: Iterable[str], dk: FreqaiDataKitchen, strategy: IStrategy
) -> list[tuple[DataFrame, pd.Timedelta]]:
    """Collect all candles that features are made of, with how far back they look."""
    frames = []
    for p in pairs:
        for timeframe in dk.freqai_config["feature_parameters"]["include_timeframes"]:
            frame = strategy.dp.get_pair_dataframe(p, timeframe)
            if frame.empty:
                raise OperationalException(
                    f"{p}: there are no {timeframe} candles; download them first: "
                    f"freqtrade download-data -p {p} -t {timeframe} --timerange ..."
                )
            lookback = strategy.startup_candle_count * timeframe_to_seconds(timeframe)
            frames.append((frame, pd.Timedelta(seconds=lookback)))
    return frames


def digest_between(
    frames: Iterable[tuple[DataFrame, pd.Timedelta]], start: datetime, stop: datetime
) -> str:
    """Digest the candles of `candle_frames` in ``[start, stop)``, and what they look back on."""
    return digest_candles(f[(f["date"] >= start - back) & (f["date"] < stop)] for f, back in frames)
