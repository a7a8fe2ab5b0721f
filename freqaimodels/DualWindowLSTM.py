"""FreqAI's hooks on one side, the `dualwindow` core on the other."""

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from datasieve.pipeline import Pipeline
from freqtrade.configuration import TimeRange
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import TRADE_MODES
from freqtrade.exceptions import OperationalException
from freqtrade.freqai.base_models.BaseClassifierModel import BaseClassifierModel
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from dualwindow.arrays import IntArray
from dualwindow.learning.artifact import Artifact, Prediction
from dualwindow.learning.training import train_together
from dualwindow.market.candles import Candles
from dualwindow.models.classifier import Hooks
from dualwindow.samples.data import TrainingData
from dualwindow_freqtrade.backtest import drawer as backtest_drawer
from dualwindow_freqtrade.backtest import pooling as backtest_pooling
from dualwindow_freqtrade.backtest.cache import BacktestCache, CachedWindow
from dualwindow_freqtrade.backtest.windows import (
    cached_windows,
    populate_from_candles,
    write_whole_predictions,
)
from dualwindow_freqtrade.freqai import frames as freqai_frames
from dualwindow_freqtrade.freqai import training_report
from dualwindow_freqtrade.freqai.actions import Ends
from dualwindow_freqtrade.freqai.configuration import (
    Configuration,
    ConfigurationError,
    in_users_words,
    read_configuration,
    refuse_other_features,
)
from dualwindow_freqtrade.freqai.feature_pipeline import PipelineScaler, pipeline_of, prepared
from dualwindow_freqtrade.freqai.fingerprint import Beside, Fingerprint
from dualwindow_freqtrade.freqai.names import COLUMNS
from dualwindow_freqtrade.freqai.placement import misplaced_blocks
from dualwindow_freqtrade.freqai.sources import log_identifier
from dualwindow_freqtrade.freqai.threads import allowed_threads, cap_threads, load_freqais_loggers
from dualwindow_freqtrade.freqai.whitelist import whitelist_of
from dualwindow_freqtrade.live import drawer as live_drawer
from dualwindow_freqtrade.live import pooling as live_pooling
from dualwindow_freqtrade.live.candles import LateInputs
from dualwindow_freqtrade.live.folder import repair_folder
from dualwindow_freqtrade.live.loop import LiveLoop
from dualwindow_freqtrade.live.pace import Pace
from dualwindow_freqtrade.live.presence import Presence
from dualwindow_freqtrade.live.process_end import end_with_main_thread
from dualwindow_freqtrade.live.saved_models import SavedModels, load_backtest_model
from dualwindow_freqtrade.live.status import Status
from dualwindow_freqtrade.live.stored_predictions import stored_predictions
from dualwindow_freqtrade.live.watch import LiveWatch, limits_of
from dualwindow_freqtrade.reporting.renewal import Renewal
from dualwindow_freqtrade.reporting.telling import Telling
from dualwindow_freqtrade.strategy.quiet import leave_out_idle

logger = logging.getLogger(__name__)


class DualWindowLSTM(BaseClassifierModel):
    """Classify candles as SHORT, HOLD or LONG with an LSTM over the last `conv_width` candles.

    A strategy uses it with two lines: ``return self.freqai.set_targets(dataframe)`` in
    `set_freqai_targets` and ``return self.freqai.start(dataframe, metadata, self)`` in
    `populate_indicators`. It gets the columns ``&-signal``, ``SHORT``, ``HOLD``, ``LONG`` and
    ``do_predict`` back, and the uncalibrated softmax as ``SHORT_raw``, ``HOLD_raw``, ``LONG_raw``;
    where ``do_predict`` is 0, all six are 0. Only where the model gives all candles the same
    probabilities they are shown with ``do_predict`` 0: nothing is to be entered on them.
    """

    # For a model that acts on these predictions: further columns that it returns, and which of the
    # barriers and the horizon end its positions.
    columns_beside: tuple[str, ...] = ()
    ends = Ends(barriers=True, horizon=True)

    def __init__(self, config: dict[str, Any]) -> None:
        try:
            self.configuration = self.read(config)
            refuse_other_features(config, self.configuration.settings)
        except ConfigurationError as error:
            raise OperationalException(str(error)) from error
        self.settings, is_live = self.configuration.settings, config.get("runmode") in TRADE_MODES
        leave_out_idle(config)
        log_identifier(config)
        self._presence = None
        if is_live:  # before FreqAI loads what lies there; the identifier has been checked
            identifier = config["freqai"].get("identifier", "")
            folder = Path(config["user_data_dir"], "models", identifier)
            self._presence = Presence(folder)  # from here on, nobody promotes models to it
            repair_folder(folder)
        super().__init__(config)
        drawer = live_drawer if is_live else backtest_drawer
        drawer.take_over(self.dd, self.columns_beside)
        if config.get("freqai_backtest_live_models", False):  # FreqAI has loaded the newest
            self.dd.historic_predictions = stored_predictions(self.full_path)
        self._n_threads = allowed_threads(self.configuration.threads, is_live=is_live)
        self.fingerprint = Fingerprint(
            self,
            DualWindowLSTM,
            self.settings,
            (backtest_pooling, live_pooling),
            self.shaping_beside(),
        )
        self._backtest_cache = BacktestCache(self.full_path, self.fingerprint)
        self._backtest_pooling: backtest_pooling.SharedTrainings | None = None
        self._telling = Telling(
            self.full_path,
            config,
            self.base_tf_seconds,
            writes=self.configuration.report is not False,
        )
        guards, pace = self.configuration.guards, Pace.of(self.freqai_info)
        self._status = status = Status(self.full_path, limits_of(config, guards), pace)
        late_inputs = LateInputs(self.dd, guards.max_candle_age)
        self._live_watch = LiveWatch(status, late_inputs, self.base_tf_seconds)
        self._live_pooling = None
        if self.settings.pooling == "whitelist":
            self._live_pooling = live_pooling.SharedTraining(self, status)
        self._renewal = Renewal(
            self.full_path,
            config,
            self.base_tf_seconds,
            self.configuration.report_minutes,
            self.dd.save_historic_predictions_to_disk,
        )
        self._live_loop = LiveLoop(self, status, pace, self._live_pooling, self._renewal)
        self._saved_models = SavedModels(self.dd, config, self.fingerprint)

    def read(self, config: dict[str, Any]) -> Configuration:
        """Read the configuration; a `ConfigurationError` names every problem."""
        return read_configuration(config.get("freqai", {}), misplaced_blocks(config))

    def shaping_beside(self) -> Beside | None:
        """Name what shapes predictions beside the classifier: here, nothing does."""
        return None

    def set_targets(self, dataframe: DataFrame) -> DataFrame:
        """Label the candles; a strategy's `set_freqai_targets` is this one line."""
        labels = freqai_frames.true_labels(self._candles(dataframe), self.settings)
        return freqai_frames.with_targets(dataframe, labels)

    def start(
        self, dataframe: DataFrame, metadata: dict[str, Any], strategy: IStrategy
    ) -> DataFrame:
        """Predict one pair; after the last one, a backtest says what it has found."""
        predict = partial(super().start, dataframe, metadata, strategy)
        pair = metadata["pair"]
        windows = partial(self._backtest_cache.windows, pair)
        return self._telling.follow(pair, strategy, predict, windows)

    def watch_whitelist(self, now: float, provider: DataProvider) -> None:
        """Look whether every pair is still analysed; for a strategy's `bot_loop_start`.

        Without new candles FreqAI is not asked at all, and freqtrade keeps its last signals; what
        an analysis raises costs the pair its signals and a line in the log.

        Parameters
        ----------
        now : seconds since 1970 UTC
        provider : the strategy's
        """
        timeframe = self.config["timeframe"]
        analysed = {
            pair: provider.get_analyzed_dataframe(pair, timeframe)[1].timestamp()
            for pair in provider.current_whitelist()
        }
        self._live_watch.notice_silence(now, analysed)
        for pair in self._live_watch.gone(analysed):
            if not self._live_loop.is_training(pair) and self.dd.let_go(pair):
                self.forget_pair(pair)

    def forget_pair(self, pair: str) -> None:
        """Forget a pair that has left the whitelist, until it is analysed again."""
        self._live_watch.forget(pair)
        self._saved_models.forget(pair)

    def define_data_pipeline(self, threads: int = -1) -> Pipeline:
        """FreqAI's pipeline (scaler, PCA, SVM, dissimilarity index) with the chosen scaler."""
        pipeline = super().define_data_pipeline(threads)
        return prepared(pipeline, self.settings.scaler, self.settings.model.seed)

    def train(
        self, unfiltered_df: DataFrame, pair: str, dk: FreqaiDataKitchen, **kwargs: Any
    ) -> Artifact:
        """Train on one window of candles, row for row as they come: the core filters them."""
        try:
            candles = self._candles(unfiltered_df)
            dk.data_dictionary = freqai_frames.data_dictionary(unfiltered_df, candles, dk)
            model = self.fit(dk.data_dictionary, dk)
            dk.feature_pipeline = pipeline_of(model.scaler)
            labels = model.record.training_labels
            freqai_frames.describe_training(labels, dk, self.columns_beside)
            training_report.report_training(model.record, dk, is_continual=self.continual_learning)
        except Exception as error:
            if not self.live:
                self._backtest_cache.remember_failure(dk, error)
            raise
        if not self.live:
            self._backtest_cache.remember(dk)
        return model

    def fit(
        self, data_dictionary: dict[str, Any], dk: FreqaiDataKitchen, **kwargs: Any
    ) -> Artifact:
        """Hand candles, features and labels to the core."""
        data = freqai_frames.training_data(dk.pair, data_dictionary)
        learn = partial(self.learn, dk=dk, previous=self.dd.model_dictionary.get(dk.pair))
        if self._backtest_pooling is None:
            model = learn([data])[dk.pair]
        else:
            model = self._backtest_pooling.model_of(data, dk, learn)
        if not self.live:  # live, FreqAI keeps it itself once it is saved
            self.dd.model_dictionary[dk.pair] = model
        return model

    def learn(
        self, group: Sequence[TrainingData], dk: FreqaiDataKitchen, previous: Artifact | None
    ) -> dict[str, Artifact]:
        """Learn from one or several pairs.

        Parameters
        ----------
        group : data of one pair each
        dk : of one of them; knows where files may go
        previous : the model before, to go on from if learning goes on
        """
        cap_threads(self.settings.model, self._n_threads)
        scaler = PipelineScaler(self.define_data_pipeline(threads=dk.thread_count))
        name = dk.pair if len(group) == 1 else "all pairs"
        with in_users_words():
            models = train_together(
                group,
                self.settings,
                scaler,
                # Not get_init_model(): it writes a logger into the artifact, which is frozen.
                previous=previous if self.continual_learning else None,
                hooks=Hooks(
                    report=partial(training_report.log_epoch, name),
                    interrupt=self._live_loop.stop_if_asked,
                    tensorboard=dk.data_path / "tensorboard" if self.activate_tensorboard else None,
                ),
            )
        if len(group) > 1:
            training_report.log_shared(models[0].record, is_continual=self.continual_learning)
        facts = self.fingerprint.facts()
        return {model.record.pair: model.made_from(facts) for model in models}

    def extract_data_and_train_model(
        self,
        new_trained_timerange: TimeRange,
        pair: str,
        strategy: IStrategy,
        dk: FreqaiDataKitchen,
        data_load_timerange: TimeRange,
    ) -> None:
        """Train and save, or leave everything as it was."""
        load_freqais_loggers()
        arguments = (new_trained_timerange, pair, strategy, dk, data_load_timerange)
        train_and_save = partial(super().extract_data_and_train_model, *arguments)
        self._live_loop.train_or_undo(train_and_save, new_trained_timerange, strategy, dk)

    def start_scanning(self, *arguments: Any, **options: Any) -> None:
        """Start the thread that trains, and one that sees to the end of the process."""
        super().start_scanning(*arguments, **options)
        end_with_main_thread(self._threads[-1])

    def shutdown(self) -> None:
        """Stop, and wait for the thread that trains, whatever FreqAI is told about waiting.

        A training ends after its batch. Of two bots with the same files, the one that is reloaded
        would write its status and its predictions over those of the next.
        """
        super().shutdown()
        for thread in self._threads:
            thread.join()
        if self._presence is not None:
            self._presence.leave()

    def _start_scanning(self, strategy: IStrategy) -> None:
        """Be the thread that trains."""
        self._live_loop.run(strategy)

    def predict(
        self, unfiltered_df: DataFrame, dk: FreqaiDataKitchen, **kwargs: Any
    ) -> tuple[DataFrame, IntArray]:
        """Predict every row given; a row without a whole window gets ``do_predict`` 0."""
        model: Artifact = self.model
        is_constant = model.record.is_constant
        features = freqai_frames.feature_rows(unfiltered_df, model.record.features, dk.pair)
        candles = self._candles(unfiltered_df)
        # Live, FreqAI reads the last row alone.
        prediction = model.predict(candles, features, n_newest=1 if self.live else None)
        if self.live:
            opened = float(candles.date[-1])
            prediction = self._live_watch.guarded(prediction, opened, dk, is_constant=is_constant)
        else:
            self._backtest_cache.remember(dk)
        freqai_frames.describe_prediction(prediction, dk, is_constant=is_constant)
        return freqai_frames.predicted_frame(prediction), dk.do_predict

    def start_live(
        self,
        dataframe: DataFrame,
        metadata: dict[str, Any],
        strategy: IStrategy,
        dk: FreqaiDataKitchen,
    ) -> FreqaiDataKitchen:
        """Predict one pair as FreqAI does, and write down how that went."""
        pair = metadata["pair"]
        with self._live_watch.watching(pair):
            self._prepare_live(pair, strategy, dk)
            self._live_watch.start_clock(pair)
            dk = super().start_live(dataframe, metadata, strategy, dk)
            if not self._live_watch.finish(dataframe["date"].iloc[-1].timestamp(), dk):
                self.withdraw_newest(dk)
        return dk

    def withdraw_newest(self, dk: FreqaiDataKitchen) -> None:
        """Make the newest row that the strategy is given no prediction."""
        freqai_frames.withdraw_newest(dk.return_dataframe, self.columns_beside)

    def _prepare_live(self, pair: str, strategy: IStrategy, dk: FreqaiDataKitchen) -> None:
        """Do what is done once: in a process, or for a pair that joins later."""
        # Without a model, FreqAI returns only the classes it happened to see.
        dk.unique_class_list = [*COLUMNS, *self.columns_beside]
        self.fingerprint.digest_code(strategy)
        if not self.scanning:
            self._refuse_other_features(strategy)
            cap_threads(self.settings.model, self._n_threads)
            self._renewal.begin(strategy)
        # All of them before the thread begins to train.
        others = () if self.scanning else strategy.dp.current_whitelist()
        self._saved_models.load_once((pair, *others))
        if self._live_pooling is not None:
            try:
                self._live_pooling.hand_on(pair)
            except OSError as error:  # it has another chance with each candle
                logger.error("%s: the model of other pairs cannot be saved: %s", pair, error)
        if not self.dd.historic_data:  # before FreqAI would, which then appends nothing newer
            self.dd.load_all_pair_histories(dk.check_if_new_training_required(0)[2], dk)

    def build_strategy_return_arrays(
        self, dataframe: DataFrame, dk: FreqaiDataKitchen, pair: str, trained_timestamp: int
    ) -> None:
        """Predict the newest candle, also the first of a process, and no other.

        FreqAI predicts all candles of a pair's first frame, to throw them away: with many pairs
        that takes minutes, in which no exit is managed.
        """
        if pair not in self.dd.model_return_values:
            nothing = freqai_frames.nothing_predicted(len(dataframe), self.columns_beside)
            if pair not in self.dd.historic_predictions:
                self.set_initial_historic_predictions(nothing, dk, pair, dataframe)
            self.dd.set_initial_return_values(pair, nothing, dataframe)
        super().build_strategy_return_arrays(dataframe, dk, pair, trained_timestamp)

    def start_backtesting(
        self,
        dataframe: DataFrame,
        metadata: dict[str, Any],
        dk: FreqaiDataKitchen,
        strategy: IStrategy,
    ) -> FreqaiDataKitchen:
        """Refuse predictions cached from other settings, code, libraries or candles, then go on."""
        self.fingerprint.digest_code(strategy)
        shared = self.share_trainings(strategy)
        windows = cached_windows(dataframe, dk, strategy, self.corr_pairlist, shared)
        reused = self._backtest_cache.check(dk.pair, windows, is_continual=self.continual_learning)
        self.begin_windows(dk.pair, self._candles(dataframe), list(windows.values()), reused)
        populate_from_candles(dk, list(dataframe.columns))
        write_whole_predictions(dk)
        return super().start_backtesting(dataframe, metadata, dk, strategy)

    def begin_windows(
        self, pair: str, candles: Candles, windows: Sequence[CachedWindow], reused: Sequence[bool]
    ) -> None:
        """Look at the windows of a backtest before the first; a model that acts goes on from each.

        Parameters
        ----------
        pair, candles : all that are there
        windows, reused : each, and whether its predictions are cached
        """

    def acted_columns(
        self, model: Artifact, candles: Candles, prediction: Prediction
    ) -> dict[str, IntArray]:
        """Compute what a model that acts would do on n candles, for `check leak`."""
        return {}

    def other_actions(
        self, model: Artifact, candles: Candles, prediction: Prediction, live: DataFrame
    ) -> list[str]:
        """Say which stored actions a model that acts would not take again, for `check parity`.

        Parameters
        ----------
        model : that has decided
        candles : with those that are looked back on
        prediction : of the last n of them, as in a backtest
        live : stored rows, each of one of these candles
        """
        return []

    def share_trainings(self, strategy: IStrategy) -> backtest_pooling.SharedTrainings | None:
        """Begin to share the trainings of a backtest between all pairs, if that is asked for."""
        if self.settings.pooling == "whitelist" and self._backtest_pooling is None:
            self._refuse_other_features(strategy)
            self._backtest_pooling = backtest_pooling.SharedTrainings(self, self.settings, strategy)
        return self._backtest_pooling

    def _refuse_other_features(self, strategy: IStrategy) -> None:
        """Refuse again what the configuration alone does not tell: which pairs a pairlist finds."""
        try:
            refuse_other_features(self.config, self.settings, whitelist_of(strategy))
        except ConfigurationError as error:
            raise OperationalException(str(error)) from error

    def model_exists(self, dk: FreqaiDataKitchen) -> bool:
        """Find a saved model, and refuse it here if it cannot be read."""
        if not super().model_exists(dk):
            load_freqais_loggers()
            return False
        cap_threads(self.settings.model, self._n_threads)
        load_backtest_model(self.dd, dk)
        return True

    def _append_null_backtesting_predictions(
        self, dk: FreqaiDataKitchen, dataframe_backtest: DataFrame
    ) -> NoReturn:
        """Stop the run where FreqAI would cache zeros for a failed training and go on."""
        self._backtest_cache.stop_after_failure(dk)

    def _candles(self, dataframe: DataFrame) -> Candles:
        return Candles.from_frame(dataframe, self.base_tf_seconds)
