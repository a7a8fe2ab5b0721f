"""FreqAI's hooks on one side, the `dualwindow` core on the other."""

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from datasieve.pipeline import Pipeline
from freqtrade.configuration import TimeRange
from freqtrade.exceptions import OperationalException
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.strategy import IStrategy
from pandas import DataFrame
from rich.console import Console

from dualwindow.judging.decisions import most_probable
from dualwindow.judging.evaluation import Costs
from dualwindow.learning.artifact import Artifact
from dualwindow.learning.training import TrainingData, train
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, UNKNOWN
from dualwindow.samples.scaling import prepared
from dualwindow.settings import Settings, SettingsError
from dualwindow_freqtrade.backtest_cache import (
    CachedWindow,
    CacheError,
    CacheRecord,
    digest_core,
    digest_sources,
    flatten,
)
from dualwindow_freqtrade.backtest_comparison import Comparison
from dualwindow_freqtrade.backtest_windows import cached_windows, populate_from_candles
from dualwindow_freqtrade.live_loop import TRAINED_AT, LiveModel

logger = logging.getLogger(__name__)

TARGET = "&-signal"
RAW = tuple(f"{name}_raw" for name in CLASSES)
COLUMNS = (*CLASSES, *RAW)
_FEATURE_METHODS = (
    "feature_engineering_expand_all",
    "feature_engineering_expand_basic",
    "feature_engineering_standard",
    "set_freqai_targets",
)
_NOT_SHAPING = {"confidence", "guards", "threads"}
_MODEL_METHODS = ("set_targets", "define_data_pipeline", "fit", "train", "predict")


class DualWindowLSTM(LiveModel):
    """Classify candles as SHORT, HOLD or LONG with an LSTM over the last `conv_width` candles.

    A strategy uses it with two lines: ``return self.freqai.set_targets(dataframe)`` in
    `set_freqai_targets` and ``return self.freqai.start(dataframe, metadata, self)`` in
    `populate_indicators`. It gets the columns ``&-signal``, ``SHORT``, ``HOLD``, ``LONG`` and
    ``do_predict`` back, and the uncalibrated softmax as ``SHORT_raw``, ``HOLD_raw``, ``LONG_raw``;
    where ``do_predict`` is 0, all six are 0.
    """

    columns = COLUMNS

    def __init__(self, config: dict[str, Any]) -> None:
        try:
            self.settings = Settings.from_freqai(config.get("freqai", {}))
            dual_window = self.settings.dual_window
            super().__init__(config, dual_window.guards, dual_window.threads)
        except SettingsError as error:
            raise OperationalException(str(error)) from error
        self._cache = CacheRecord(self.full_path)
        self._code: dict[str, str] = {}
        self._windows: dict[str, CachedWindow] = {}
        self._training_error: Exception | None = None
        self._tested: list[TimeRange] = []  # FreqAI forgets them before the strategy goes on
        self._comparison: Comparison | None = None

    # --- labels and features -------------------------------------------------------------------

    def set_targets(self, dataframe: DataFrame) -> DataFrame:
        """Label the candles; a strategy's `set_freqai_targets` is this one line."""
        labels = self.settings.labelling.label(self._candles(dataframe))
        # UNKNOWN is -1 and picks the last name: missing, so it is never learnt as a class.
        names = np.array([*CLASSES, None], dtype=object)[labels]
        return dataframe.assign(**{TARGET: pd.Series(names, index=dataframe.index, dtype=object)})

    def define_data_pipeline(self, threads: int = -1) -> Pipeline:
        """FreqAI's pipeline (scaler, PCA, SVM, dissimilarity index) with the chosen scaler."""
        pipeline = super().define_data_pipeline(threads)
        return prepared(pipeline, self.settings.dual_window.scaler, self.settings.training.seed)

    def _candles(self, dataframe: DataFrame) -> Candles:
        return Candles.from_frame(dataframe, self.base_tf_seconds)

    # --- training ------------------------------------------------------------------------------

    def train(
        self, unfiltered_df: DataFrame, pair: str, dk: FreqaiDataKitchen, **kwargs: Any
    ) -> Artifact:
        """Train on one window of candles, row for row as they come: the core filters them."""
        self._training_error = None
        try:
            if dk.label_list != [TARGET]:
                raise ValueError(
                    f"the strategy's set_freqai_targets must be 'return "
                    f"self.freqai.set_targets(dataframe)'. Received labels: {dk.label_list}"
                )
            dk.data_dictionary = {
                "candles": self._candles(unfiltered_df),
                "train_features": unfiltered_df[dk.training_features_list],
                "train_labels": unfiltered_df[dk.label_list],
                "train_dates": unfiltered_df["date"],
            }
            dk.feature_pipeline = self.define_data_pipeline(threads=dk.thread_count)
            model = self.fit(dk.data_dictionary, dk)
            self._report(model, pair, dk)
        except Exception as error:
            self._training_error = error
            raise
        return model

    def fit(
        self, data_dictionary: dict[str, Any], dk: FreqaiDataKitchen, **kwargs: Any
    ) -> Artifact:
        """Hand candles, features and labels to the core."""
        self.cap_threads()
        codes = {name: code for code, name in enumerate(CLASSES)}
        data = TrainingData(
            dk.pair,
            data_dictionary["candles"],
            data_dictionary["train_features"].to_numpy(np.float64),
            tuple(data_dictionary["train_features"].columns),
            data_dictionary["train_labels"][TARGET].map(codes).fillna(UNKNOWN).to_numpy(np.int8),
        )
        total, previous = self.settings.training.epochs, self._previous_model(dk.pair)
        model = train(
            data,
            self.settings,
            dk.feature_pipeline,
            previous=previous,
            report=lambda epoch: logger.info(
                "%s epoch %d/%d: loss %.4f, validation loss %.4f, rate %.2g, %.1f s",
                dk.pair,
                epoch.number,
                total,
                epoch.loss,
                epoch.validation_loss,
                epoch.learning_rate,
                epoch.seconds,
            ),
            interrupt=self.stop_if_asked,
            tensorboard=dk.data_path / "tensorboard" if self.activate_tensorboard else None,
        )
        model = replace(model, metadata={**model.metadata, "made_from": self.fingerprint()})
        if not self.live:  # live, FreqAI keeps it itself once it is saved
            self.dd.model_dictionary[dk.pair] = model
        return model

    def _previous_model(self, pair: str) -> Artifact | None:
        # Not get_init_model(): it writes a logger into the artifact, which is frozen.
        return self.dd.model_dictionary.get(pair) if self.continual_learning else None

    def _report(self, model: Artifact, pair: str, dk: FreqaiDataKitchen) -> None:
        """Log one line, write the metadata beside FreqAI's files and complete `dk.data`."""
        facts = model.metadata
        self._fill_class_statistics(facts["training_labels"], dk)
        dropped = ", ".join(f"{n} {reason}" for reason, n in facts["rejected"].items() if n)
        logger.info(
            "%s trained on %s and validated on %d of %d candles (dropped: %s); best epoch %d of "
            "%d, %.0f s on %s; calibrated by %s; validation log loss %.4f (raw scores %.4f, class "
            "frequencies %.4f)",
            pair,
            " + ".join(f"{n} {name}" for name, n in facts["training_windows"].items()),
            sum(facts["validation_windows"].values()),
            facts["candles"],
            dropped or "none",
            facts["best_epoch"],
            len(facts["epochs"]),
            facts["seconds"],
            facts["device"],
            facts["calibration"]["method"],
            facts["validation"]["log_loss"],
            facts["validation"]["log_loss_of_raw_scores"],
            facts["validation"]["log_loss_of_frequencies"],
        )
        if facts["warm_start"]:
            logger.info(
                "%s began with the weights of the model before, validation loss %.4f%s",
                pair,
                facts["warm_start"]["validation_loss"],
                "" if facts["best_epoch"] else "; no epoch was better, so they stay",
            )
        elif self.continual_learning:
            logger.info("%s began with new weights", pair)
        for remark in facts["calibration"]["remarks"]:
            logger.warning("%s calibration: %s", pair, remark)
        # Live, FreqAI names the files only after training; the timestamp is already in the path.
        trained_at = int(dk.data_path.name.rpartition("_")[2])
        dk.data["extra_returns_per_train"] = {
            **dk.data["extra_returns_per_train"],
            TRAINED_AT: trained_at,
        }
        dk.set_new_model_names(pair, trained_at)
        dk.data_path.mkdir(parents=True, exist_ok=True)
        path = dk.data_path / f"{dk.model_filename}_dualwindow.json"
        path.write_text(json.dumps(facts, indent=1))
        if not self.live:
            self._remember(dk)

    def _fill_class_statistics(self, counts: Mapping[str, int], dk: FreqaiDataKitchen) -> None:
        """Give FreqAI the mean and deviation of every column, also of a class that is absent.

        FreqAI looks up each returned column live and fails with a KeyError where one is missing;
        its own list grows by one copy of the classes per backtest window.
        """
        dk.unique_class_list = list(COLUMNS)
        total = max(sum(counts.values()), 1)
        shares = {name: counts[name.removesuffix("_raw")] / total for name in COLUMNS}
        dk.data["labels_mean"] = shares
        dk.data["labels_std"] = {n: float(np.sqrt(p * (1 - p))) for n, p in shares.items()}

    def _append_null_backtesting_predictions(
        self, dk: FreqaiDataKitchen, dataframe_backtest: DataFrame
    ) -> None:
        """Stop the run where FreqAI would cache zeros for a failed training and go on."""
        for leftover in dk.data_path.glob(f"{dk.model_filename}_metadata.json"):
            leftover.unlink()
        raise OperationalException(
            "the backtest stops, because a training failed: "
            f"{self._training_error or 'the traceback above says why'}"
        ) from self._training_error

    # --- prediction ----------------------------------------------------------------------------

    def predict(
        self, unfiltered_df: DataFrame, dk: FreqaiDataKitchen, **kwargs: Any
    ) -> tuple[DataFrame, npt.NDArray[np.int_]]:
        """Predict every row given; a row without a whole window gets ``do_predict`` 0."""
        model: Artifact = self.model
        missing = [name for name in model.feature_names if name not in unfiltered_df]
        if missing:
            raise OperationalException(
                f"{dk.pair}: the model was trained with features {missing} that the strategy no "
                "longer computes; set another freqai.identifier"
            )
        features = unfiltered_df[list(model.feature_names)].to_numpy(np.float64)
        candles = self._candles(unfiltered_df)
        # After its first prediction of a process, FreqAI reads the last row alone.
        newest_only = self.live and not kwargs.get("first", True)
        if self.live and not newest_only:  # nobody waits for this one: compile what comes after
            model.predict(candles, features, n_newest=1)
        prediction = model.predict(candles, features, n_newest=1 if newest_only else None)
        if self.live:
            self.guard(prediction, float(candles.date[-1]), dk)
        # FreqAI's convention for "no prediction" is 0 with do_predict 0: it fits statistics to
        # these columns and cannot take NaN there.
        both = np.nan_to_num(np.hstack([prediction.probabilities, prediction.scores]))
        names = np.array(CLASSES, dtype=object)[most_probable(prediction.probabilities)]
        pred_df = DataFrame(both, columns=list(COLUMNS))
        pred_df.insert(0, TARGET, np.where(prediction.valid, names, "UNKNOWN").astype(object))
        if not self.live:
            self._remember(dk)
        dk.unique_class_list = list(COLUMNS)
        dk.DI_values = prediction.dissimilarity
        dk.do_predict = prediction.valid.astype(np.int_)
        return pred_df, dk.do_predict

    def model_exists(self, dk: FreqaiDataKitchen) -> bool:
        """Find a saved model, and refuse it here if it cannot be read."""
        if not super().model_exists(dk):
            return False
        self.dd.pair_dict[dk.pair]["model_filename"] = dk.model_filename
        model = self._load_whole(dk.pair, dk)
        self.dd.model_dictionary[dk.pair] = model  # the one before the next, if learning goes on
        return True

    def _load_whole(self, pair: str, dk: FreqaiDataKitchen) -> Artifact:
        self.cap_threads()
        try:
            model: Artifact = self.dd.load_data(pair, dk)
            model.weights  # noqa: B018 - reads the .keras content
        except Exception as error:
            raise OperationalException(
                f"the model in {dk.data_path} is damaged ({type(error).__name__}: {error}); "
                "delete this folder and run again"
            ) from error
        return model

    # --- what decisions are worth ---------------------------------------------------------------

    def compare(
        self,
        dataframe: DataFrame,
        pair: str,
        ways: Mapping[str, npt.NDArray[np.int_]],
        fees: float,
        *,
        is_last: bool,
    ) -> None:
        """Print how ways of deciding did in each window of a backtest, and at last over all pairs.

        Parameters
        ----------
        dataframe : n candles of the pair with their predictions
        ways : name and (n,) decisions of SHORT, HOLD, LONG; UNKNOWN where there is no prediction
        fees : of entry and exit together, a fraction of the stake
        is_last : whether this is the last pair
        """
        labelling = self.settings.labelling
        if self._comparison is None:
            self._comparison = Comparison(Costs(labelling, fees))
        candles, console = self._candles(dataframe), Console()
        truth = labelling.label(candles)
        windows = [(window.startdt, window.stopdt) for window in self._tested]
        if windows:  # predictions of a live run have none
            console.print(self._comparison.add(pair, candles, truth, ways, windows))
        if windows and is_last:
            console.print(self._comparison.overall())
            self._comparison = None

    # --- what is cached ------------------------------------------------------------------------

    def start_backtesting(
        self,
        dataframe: DataFrame,
        metadata: dict[str, Any],
        dk: FreqaiDataKitchen,
        strategy: IStrategy,
    ) -> FreqaiDataKitchen:
        """Refuse predictions cached from other settings, code or candles, then go on as FreqAI."""
        self.digest_code(strategy)
        self._windows = cached_windows(dataframe, dk, strategy, self.corr_pairlist)
        self._tested = dk.backtesting_timeranges
        try:
            self._cache.check("settings", self._shaping_settings())
            self._cache.check("code", self._code)
            reused = [window.is_reused(self._cache) for window in self._windows.values()]
        except CacheError as error:
            raise OperationalException(str(error)) from error
        if self.continual_learning and not all(reused):
            # A window goes on from the model before it, which cached predictions do not bring.
            for window in self._windows.values():
                window.prediction.unlink(missing_ok=True)
        populate_from_candles(dk, list(dataframe.columns))
        return super().start_backtesting(dataframe, metadata, dk, strategy)

    def digest_code(self, strategy: IStrategy) -> None:
        """Digest core, features and model once: files may be edited while the first pair trains."""
        if not self._code:
            self._code = {
                "core": digest_core(),
                "features": digest_sources(getattr(strategy, name) for name in _FEATURE_METHODS),
                "model": digest_sources(getattr(self, name) for name in _MODEL_METHODS),
            }

    def fingerprint(self) -> dict[str, Any]:
        """Everything that shapes a prediction but the candles, by dotted names."""
        return flatten({**self._shaping_settings(), "code": self._code})

    def _remember(self, dk: FreqaiDataKitchen) -> None:
        """Record what the files that FreqAI is about to write were made from."""
        self._cache.add("settings", self._shaping_settings())
        self._cache.add("code", self._code)
        self._cache.add("candles", self._windows[dk.model_filename].facts)

    def _shaping_settings(self) -> dict[str, Any]:
        """Collect everything in the configuration that shapes a prediction."""
        freqai = self.freqai_info
        shaping = self.settings.model_dump(mode="json", exclude={"dual_window": _NOT_SHAPING})
        return {
            **shaping,
            "model": type(self).__name__,
            "train_period_days": freqai.get("train_period_days"),
            "continual_learning": self.continual_learning,
            "extra_returns_per_train": freqai.get("extra_returns_per_train", {}),
            "timeframe": self.config["timeframe"],
            "trading_mode": str(self.config.get("trading_mode", "spot")),
            "reduce_df_footprint": bool(self.config.get("reduce_df_footprint")),
            # What is unset and what is switched off are the same.
            "feature_parameters": {k: v for k, v in self.ft_params.items() if v},
        }
