"""Keep the files of a live FreqAI whole: written aside and renamed."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cloudpickle
import rapidjson
from freqtrade.freqai.data_drawer import METADATA_NUMBER_MODE, FreqaiDataDrawer
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.strategy import IStrategy
from pandas import DataFrame, Series
from pandas.api.types import is_numeric_dtype

from dualwindow.arrays import IntArray
from dualwindow.market.files import write_aside
from dualwindow.outside import epoch_seconds
from dualwindow_freqtrade.freqai.names import (
    ALL_TRAININGS,
    COLUMNS,
    DATE_OF_PREDICTION,
    DISSIMILARITY,
    DO_PREDICT,
    FEATURE_PIPELINE,
    KEPT_RECORDS,
    LABEL_PIPELINE,
    METADATA_FILE,
    MODEL_FILE,
    REPORT_FILE,
    TARGET,
    TRAINED_AT,
    TRAINED_DATES,
    TRAINED_LIVE,
    TRAINED_ROWS,
    coin_of,
)
from dualwindow_freqtrade.live.candles import append_newest
from dualwindow_freqtrade.live.folder import was_trained_live
from dualwindow_freqtrade.live.stored_predictions import (
    LEAST_OLDER,
    give_memory_back,
    missing_columns,
    set_predictions_aside,
    store_older,
)

logger = logging.getLogger(__name__)

# The most that an exchange gives at once, but for one or two; freqtrade keeps so many candles
# and those that a strategy needs before. Before a pair's first candle nobody knows how many they
# will be.
CANDLES_AT_ONCE = 1500


def _remove(folder: Path) -> None:
    """Remove a model, but keep the record of its training: its predictions are still judged."""
    try:
        kept = folder.parent / KEPT_RECORDS / folder.name
        for record in folder.glob(f"*{REPORT_FILE}"):
            kept.mkdir(parents=True, exist_ok=True)
            record.replace(kept / record.name)
        shutil.rmtree(folder)
    except OSError as error:
        logger.error("%s, an old model, could not be removed: %s", folder, error)


def take_over(drawer: FreqaiDataDrawer, beside: Sequence[str] = ()) -> None:
    """Make FreqAI's drawer, which it creates itself, one that keeps its files whole.

    Parameters
    ----------
    drawer : changed in place
    beside : columns of the model beside those of every classifier
    """
    drawer.__class__ = WholeFilesDrawer
    drawer.columns_beside = tuple(beside)
    drawer.check_stored_predictions()


class WholeFilesDrawer(FreqaiDataDrawer):
    """FreqAI's drawer, whose files are there wholly or not at all.

    It begins with no state of its own, so that the drawer that FreqAI makes can become one.
    """

    trains_live = True  # what is saved may be taken up by a bot
    columns_beside: tuple[str, ...] = ()  # of the model, which other classifiers do not have
    _older_stay: bool = False  # in memory, because they could not be stored

    def check_stored_predictions(self) -> None:
        """Go on with predictions stored by another version, or begin anew where FreqAI cannot."""
        n_kept = self.config.get("startup_candle_count", 0) + CANDLES_AT_ONCE
        n_rows = {pair: len(rows) for pair, rows in self.historic_predictions.items()}
        for pair, rows in list(self.historic_predictions.items()):
            if DATE_OF_PREDICTION not in rows:  # FreqAI was stopped amid the first, empty one
                del self.historic_predictions[pair]
                continue
            self._add_missing_columns(rows)
            if missing := missing_columns(rows):
                logger.warning(
                    "%s: the stored predictions are those of another model or version, without "
                    "the columns %s; they are now in %s, and the pair begins anew",
                    pair,
                    ", ".join(missing),
                    set_predictions_aside(self.full_path, pair, rows),
                )
                del self.historic_predictions[pair]
            else:
                self._let_older_go(pair, n_kept)
        if n_rows != {pair: len(rows) for pair, rows in self.historic_predictions.items()}:
            self.save_historic_predictions_to_disk()
            give_memory_back()

    def _add_missing_columns(self, rows: DataFrame) -> None:
        names = [TRAINED_AT, *self.freqai_info.get("extra_returns_per_train", {})]
        if self.freqai_info["feature_parameters"].get("DI_threshold", 0) > 0:
            names.append(DISSIMILARITY)
        for name in self.columns_beside:
            names += [name, f"{name}_mean", f"{name}_std"]
        for name in names:
            if name not in rows:
                rows[name] = 0.0
        # Where all candles were skipped there is no name of a class, and FreqAI made it numbers.
        if TARGET in rows and is_numeric_dtype(rows[TARGET].dtype):
            rows[TARGET] = rows[TARGET].astype(object)

    def set_initial_return_values(
        self, pair: str, pred_df: DataFrame, dataframe: DataFrame
    ) -> None:
        """Begin with what is stored, and keep of it what FreqAI needs."""
        super().set_initial_return_values(pair, pred_df, dataframe)
        self._let_older_go(pair, len(dataframe))

    def append_model_predictions(
        self,
        pair: str,
        predictions: DataFrame,
        do_preds: IntArray,
        dk: FreqaiDataKitchen,
        strat_df: DataFrame,
    ) -> None:
        """Add the newest prediction, and keep of those before what FreqAI needs.

        A bot that comes back within a candle, perhaps with a newer model, asks for it again. What
        was predicted of it stays, and is what the strategy is given: it was acted on.
        """
        if self._is_predicted(pair, strat_df.iloc[-1]):
            rows = self.historic_predictions[pair]
            self.model_return_values[pair] = rows.tail(len(strat_df)).reset_index(drop=True)
            return
        super().append_model_predictions(pair, predictions, do_preds, dk, strat_df)
        self._let_older_go(pair, len(strat_df))

    def _is_predicted(self, pair: str, candle: Series) -> bool:
        """Tell whether the newest stored row is a prediction of this candle as it is now."""
        newest = self.historic_predictions[pair].iloc[-1]
        return (
            newest[DO_PREDICT] == 1
            and newest[DATE_OF_PREDICTION] == candle["date"]
            and all(newest[f"{price}_price"] == candle[price] for price in ("high", "low", "close"))
        )

    def _let_older_go(self, pair: str, n_candles: int) -> None:
        """Move predictions that FreqAI no longer reads from memory to a file, many at a time.

        Only the thread that predicts comes here. The one that trains saves what it finds: a row
        leaves memory after the disk has it, so it is there or in both.
        """
        rows = self.historic_predictions[pair]
        n_kept = max(n_candles, self.freqai_info.get("fit_live_predictions_candles", 0))
        if len(rows) < n_kept + LEAST_OLDER:
            return
        if self._store(pair, rows.iloc[:-n_kept]):
            # A copy, because a part of the rows keeps all of them in memory.
            self.historic_predictions[pair] = rows.iloc[-n_kept:].reset_index(drop=True).copy()

    def _store(self, pair: str, rows: DataFrame) -> bool:
        """Write predictions that are to leave memory, and tell whether the disk has them."""
        try:
            store_older(self.full_path, pair, rows)
        except (OSError, TypeError, ValueError) as error:  # the latter of what Parquet cannot hold
            if not self._older_stay:
                logger.error("Predictions stay in memory, they could not be stored: %s", error)
            self._older_stay = True
            return False
        self._older_stay = False
        return True

    def save_historic_predictions_to_disk(self) -> None:
        """Save all predictions; a disk that is full must not end the thread that trains."""
        # When the bot stops, both threads come here.
        with self.save_lock:
            content = cloudpickle.dumps(dict(self.historic_predictions))
            backup = self.historic_predictions_bkp_path
            self._save(self.historic_predictions_path, content, backup=backup)

    def save_drawer_to_disk(self) -> None:
        """Save which model is the newest of each pair."""
        with self.save_lock:
            self._save(self.pair_dictionary_path, self._json(self.pair_dict))

    def save_global_metadata_to_disk(self, metadata: dict[str, Any]) -> None:
        """Save when the bot began to predict."""
        with self.save_lock:
            self._save(self.global_metadata_path, self._json(metadata))

    def save_metric_tracker_to_disk(self) -> None:
        """Save how long trainings and predictions took, if FreqAI is to write that down."""
        with self.save_lock, self.metric_tracker_lock:
            self._save(self.metric_tracker_path, self._json(self.metric_tracker))

    def _save(self, path: Path, content: bytes, **options: Any) -> None:
        """Save what is in memory, and will be saved again; FreqAI must go on if it cannot be."""
        try:
            write_aside(path, content, **options)
        except OSError as error:
            logger.error("%s could not be saved; it is in memory: %s", path, error)

    def _json(self, content: Any) -> bytes:
        text = rapidjson.dumps(content, default=self.np_encoder, number_mode=METADATA_NUMBER_MODE)
        return text.encode()

    def save_data(self, model: Any, coin: str, dk: FreqaiDataKitchen) -> None:
        """Save a model with FreqAI's usual files, and only then make it the newest.

        The folder is filled under another name; a reader or a crash never meets half of it.
        """
        folder = Path(dk.data_path)
        aside = folder.with_name(f"{folder.name}.tmp")
        dk.data |= {
            "data_path": str(folder),
            "model_filename": str(dk.model_filename),
            "training_features_list": dk.training_features_list,
            "label_list": dk.label_list,
            TRAINED_LIVE: self.trains_live,
        }
        parts = {
            MODEL_FILE: cloudpickle.dumps(model),
            METADATA_FILE: self._json(dk.data),
            FEATURE_PIPELINE: cloudpickle.dumps(dk.feature_pipeline),
            LABEL_PIPELINE: cloudpickle.dumps(dk.label_pipeline),
            TRAINED_ROWS: cloudpickle.dumps(dk.data_dictionary["train_features"]),
            TRAINED_DATES: cloudpickle.dumps(dk.data_dictionary["train_dates"]),
        }
        if aside.is_dir():  # of a saving that was killed
            shutil.rmtree(aside)
        if folder.is_dir():
            folder.replace(aside)
        try:
            aside.mkdir(parents=True, exist_ok=True)
            for name, content in parts.items():
                write_aside(aside / f"{dk.model_filename}{name}", content)
        except OSError:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        aside.replace(folder)
        self._publish(model, coin, dk)

    def _publish(self, model: Any, coin: str, dk: FreqaiDataKitchen) -> None:
        with self.pair_dict_lock:
            self._remember(model, coin, dk)
        self.pair_dict[coin] |= {
            "model_filename": str(dk.model_filename),
            "data_path": str(dk.data_path),
        }
        self.save_drawer_to_disk()

    def _remember(self, model: Any, coin: str, dk: FreqaiDataKitchen) -> None:
        self.model_dictionary[coin] = model
        self.meta_data_dictionary[coin] = {
            "metadata": dk.data,
            "feature_pipeline": dk.feature_pipeline,
            "label_pipeline": dk.label_pipeline,
        }

    def load_data(self, coin: str, dk: FreqaiDataKitchen) -> Any:
        """Load a model with the facts of its own training, whatever the other thread saves.

        Once it is loaded, predictions no longer need its files.
        """
        with self.pair_dict_lock:
            model = super().load_data(coin, dk)
            if model is not None and coin not in self.meta_data_dictionary:
                self._remember(model, coin, dk)
        return model

    def purge_old_models(self) -> None:
        """Keep the newest models of each coin, and whichever any pair still uses.

        Models of backtests under the same identifier are neither counted nor removed.
        FreqAI counts folders without a model, and takes the models of pairs of the same coin for
        those of one.
        """
        n_kept = self.freqai_info["purge_old_models"]
        if not n_kept:
            return
        n_kept = 2 if isinstance(n_kept, bool) else n_kept
        in_use = {Path(newest["data_path"]) for newest in self.pair_dict.values()}
        by_coin: dict[str, list[Path]] = {}
        for path in sorted(self.full_path.glob(f"{ALL_TRAININGS}/*{MODEL_FILE}")):
            if was_trained_live(path.parent):
                by_coin.setdefault(coin_of(path.parent), []).append(path.parent)
        for folders in by_coin.values():
            for folder in folders[:-n_kept]:
                if folder not in in_use:
                    _remove(folder)

    def update_historic_data(self, strategy: IStrategy, dk: FreqaiDataKitchen) -> None:
        """Append the newest candles of one pair and of what its features need."""
        with self.history_lock:
            append_newest(self, strategy, dk)

    def trained_at(self, pair: str) -> int:
        """When the pair was trained; never, if a clock that was ahead says that it is yet to be."""
        trained: int = self.get_pair_dict_info(pair)[1]
        return trained if trained <= epoch_seconds() else 0

    def forget(self, coin: str) -> None:
        """Go on as if the pair had never been trained; its files stay until they are purged."""
        self.model_dictionary.pop(coin, None)
        self.meta_data_dictionary.pop(coin, None)
        self.pair_dict[coin] = self.empty_pair_dict.copy()

    def let_go(self, pair: str) -> bool:
        """Release the memory of a pair that is no longer traded; tell whether it could be.

        A pairlist that rotates would otherwise keep every pair that was ever in it. What it has
        predicted goes to a file; should it come back, it begins anew with its saved model.
        """
        rows = self.historic_predictions.get(pair)
        if rows is not None:
            # A pair's first frame was not predicted.
            rows = rows[(rows[list(COLUMNS)] != 0).any(axis=1).cummax()]
            if len(rows) and not self._store(pair, rows):
                return False
        if pair not in self.freqai_info["feature_parameters"].get("include_corr_pairlist", []):
            with self.history_lock:
                self.historic_data.pop(pair, None)
        with self.pair_dict_lock:
            self.model_dictionary.pop(pair, None)
            self.meta_data_dictionary.pop(pair, None)
        self.model_return_values.pop(pair, None)
        self.historic_predictions.pop(pair, None)
        logger.info("%s has left the whitelist; its candles and model leave memory", pair)
        return True
