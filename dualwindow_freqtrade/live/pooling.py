"""Train all pairs of a live bot at once, and hand the model to those that join later."""

import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from copy import copy
from typing import NamedTuple

from freqtrade.configuration import TimeRange
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.freqai.freqai_interface import IFreqaiModel
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from dualwindow.learning.artifact import Artifact
from dualwindow.market.candles import Candles
from dualwindow.market.files import is_of_machine
from dualwindow.samples.data import TrainingError
from dualwindow_freqtrade.freqai import frames as freqai_frames
from dualwindow_freqtrade.freqai.configuration import translated
from dualwindow_freqtrade.freqai.feature_pipeline import pipeline_of
from dualwindow_freqtrade.freqai.names import TARGET, names_for
from dualwindow_freqtrade.freqai.training_report import report_training
from dualwindow_freqtrade.live.fetching import CandlesNotFetchedError, TrainingStoppedError
from dualwindow_freqtrade.live.status import Status

logger = logging.getLogger(__name__)

_JOINED = "it was not in the whitelist at the training"


class Span(NamedTuple):
    """The time of one training: what is learnt from, and what its features look back on."""

    trained_on: TimeRange
    loaded: TimeRange


class SharedTraining:
    """One training for all pairs, whose model a pair that joins gets without another.

    Scaler and calibration are shared, so nothing needs to be fitted to such a pair.

    Parameters
    ----------
    model : FreqAI's, which learns and saves
    status : counts trainings
    """

    def __init__(self, model: IFreqaiModel, status: Status) -> None:
        self._model, self._status = model, status
        # The thread that predicts hands models on, too: what it reads is of one training.
        self._saving = threading.RLock()
        self._awaiting: set[str] = set()  # pairs that get theirs from the training that has ended

    def train(
        self,
        pairs: Sequence[str],
        span: Span,
        complete: Callable[[str], None],
        strategy: IStrategy,
        *,
        is_patient: bool,
    ) -> dict[str, Exception]:
        """Learn from all pairs that can be learnt from, and make the model the newest of all.

        Parameters
        ----------
        pairs : of the whitelist
        span : of the training
        complete : fetches the candles of a pair that memory lacks
        strategy : computes the features
        is_patient : whether candles that could not be fetched end it, because they may come soon:
            a model of some pairs would be used for hours

        Returns
        -------
        For each pair that has the model not, because it could not be saved, the reason.

        Raises
        ------
        Exception
            If nothing could be learnt or saved; every pair keeps the model that it has.
        """
        kitchens, left_out = {}, {}
        for pair in sorted(pairs):
            try:
                complete(pair)
                kitchens[pair] = self._gathered(pair, span, strategy)
            except TrainingStoppedError:
                raise
            except Exception as error:  # of the exchange, or of the strategy
                is_passing = isinstance(error, CandlesNotFetchedError) and is_patient
                if is_passing or is_of_machine(error):
                    raise
                left_out[pair] = f"{type(error).__name__}: {error}"
                logger.warning("%s cannot be learnt from: %s", pair, left_out[pair])
        if not kitchens:
            raise TrainingError(f"no pair can be learnt from: {left_out}")
        group = [freqai_frames.training_data(p, dk.data_dictionary) for p, dk in kitchens.items()]
        newest, _ = self._newest()
        models = self._model.learn(group, next(iter(kitchens.values())), previous=newest)
        failed = self._publish_all(models, kitchens, left_out, span.trained_on.stopts)
        if len(failed) == len(pairs):
            raise next(iter(failed.values()))
        self._model.dd.purge_old_models()
        return failed

    def _publish_all(
        self,
        models: dict[str, Artifact],
        kitchens: dict[str, FreqaiDataKitchen],
        left_out: dict[str, str],
        second: int,
    ) -> dict[str, Exception]:
        failed = {}
        with self._saving:
            self._awaiting = {*kitchens, *left_out}
        for pair in (*kitchens, *left_out):
            try:
                if pair in kitchens:
                    self._publish(models[pair], kitchens[pair], second)
                else:
                    self._hand_on(pair, left_out[pair])
            except Exception as error:
                failed[pair] = error
            finally:
                self._awaiting.discard(pair)
        return failed

    def hand_on(self, pair: str) -> None:
        """Give a pair the newest model of the others, if it has an older one or none.

        Raises
        ------
        OSError
            If it cannot be saved; the pair keeps what it has.
        """
        with self._saving:
            if pair not in self._awaiting:
                self._hand_on(pair, _JOINED)

    def _hand_on(self, pair: str, why: str) -> None:
        with self._saving:
            model, trained = self._newest()
            if model is None or trained <= self._model.dd.trained_at(pair):
                return
            names = names_for(pair, model.record.features, model.record.pair)
            dk = self._kitchen(pair, trained)
            dk.training_features_list, dk.label_list = list(names), [TARGET]
            none = DataFrame(columns=names)
            dk.data_dictionary = {"train_features": none, "train_dates": none.index.to_series()}
            self._publish(model.handed_to(pair, names, why), dk, trained)

    def _newest(self) -> tuple[Artifact | None, int]:
        """Find the newest model of any pair, and when it was trained."""
        drawer = self._model.dd
        models = dict(drawer.model_dictionary)  # pairs may leave it meanwhile
        pair = max(models, key=drawer.trained_at, default=None)
        return (None, 0) if pair is None else (models[pair], drawer.trained_at(pair))

    def _kitchen(self, pair: str, second: int) -> FreqaiDataKitchen:
        dk = FreqaiDataKitchen(self._model.config, live=True, pair=pair)
        dk.set_paths(pair, second)
        return dk

    def _gathered(self, pair: str, span: Span, strategy: IStrategy) -> FreqaiDataKitchen:
        """Compute features and labels of a pair, as FreqAI does where it trains one alone."""
        dk = self._kitchen(pair, span.trained_on.stopts)
        correlated, base = self._model.dd.get_base_and_corr_dataframes(span.loaded, pair, dk)
        frame = dk.use_strategy_to_populate_indicators(
            strategy, corr_dataframes=correlated, base_dataframes=base, pair=pair
        )
        frame = dk.slice_dataframe(dk.buffer_timerange(copy(span.trained_on)), frame)
        dk.find_features(frame)
        dk.find_labels(frame)
        candles = Candles.from_frame(frame, self._model.base_tf_seconds)
        dk.data_dictionary = freqai_frames.data_dictionary(frame, candles, dk)
        return dk

    def _publish(self, model: Artifact, dk: FreqaiDataKitchen, second: int) -> None:
        """Save a model as FreqAI does after a training, or leave everything as it was."""
        drawer, pair = self._model.dd, dk.pair
        with self._saving:
            if second <= drawer.trained_at(pair):
                return
            before = dict(drawer.pair_dict[pair])
            dk.feature_pipeline = pipeline_of(model.scaler)
            beside = self._model.columns_beside
            freqai_frames.describe_training(model.record.training_labels, dk, beside)
            drawer.pair_dict[pair]["trained_timestamp"] = second
            try:
                report_training(model.record, dk, is_continual=False)
                drawer.save_data(model, pair, dk)
            except Exception:
                drawer.pair_dict[pair] = before
                shutil.rmtree(dk.data_path, ignore_errors=True)
                raise
        self._status.trained(pair, second, translated(model.record.left_out))
