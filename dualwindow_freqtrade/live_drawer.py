"""Keep the files of a live FreqAI whole: written aside and renamed."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import cloudpickle
import rapidjson
from freqtrade.freqai.data_drawer import METADATA_NUMBER_MODE, FreqaiDataDrawer
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.strategy import IStrategy

from dualwindow.market.files import write_aside
from dualwindow_freqtrade.freqai_names import (
    ALL_TRAININGS,
    DATE_OF_PREDICTION,
    DISSIMILARITY,
    FEATURE_PIPELINE,
    LABEL_PIPELINE,
    METADATA_FILE,
    MODEL_FILE,
    TRAINED_AT,
    TRAINED_DATES,
    TRAINED_LIVE,
    TRAINED_ROWS,
    coin_of,
)
from dualwindow_freqtrade.live_candles import append_newest

logger = logging.getLogger(__name__)


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        logger.error("%s, an old model, could not be removed: %s", folder, error)


def _was_trained_live(folder: Path) -> bool:
    """Tell whether a bot has trained the model in a folder, and no backtest beside it."""
    try:
        (path,) = folder.glob(f"*{METADATA_FILE}")
        return bool(json.loads(path.read_text()).get(TRAINED_LIVE))
    except (OSError, ValueError):  # none, or damaged
        return False


def take_over(drawer: FreqaiDataDrawer) -> None:
    """Make FreqAI's drawer, which it creates itself, one that keeps its files whole."""
    drawer.__class__ = WholeFilesDrawer
    drawer.add_missing_columns()


class WholeFilesDrawer(FreqaiDataDrawer):
    """FreqAI's drawer, whose files are there wholly or not at all.

    It has no state of its own, so that the drawer that FreqAI makes can become one.
    """

    trains_live = True  # what is saved may be taken up by a bot

    def add_missing_columns(self) -> None:
        """Go on with predictions stored before there was a column."""
        names = [TRAINED_AT, *self.freqai_info.get("extra_returns_per_train", {})]
        if self.freqai_info["feature_parameters"].get("DI_threshold", 0) > 0:
            names.append(DISSIMILARITY)
        for pair, frame in list(self.historic_predictions.items()):
            if DATE_OF_PREDICTION not in frame:  # FreqAI was stopped amid the first, empty one
                del self.historic_predictions[pair]
                continue
            for name in names:
                if name not in frame:
                    frame[name] = 0.0

    def save_historic_predictions_to_disk(self) -> None:
        """Save all predictions; a disk that is full must not end the thread that trains."""
        # When the bot stops, both threads come here.
        with self.save_lock:
            content = cloudpickle.dumps(dict(self.historic_predictions))
            for path in (self.historic_predictions_path, self.historic_predictions_bkp_path):
                self._save(path, content)

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

    def _save(self, path: Path, content: bytes) -> None:
        """Save what is in memory, and will be saved again; FreqAI must go on if it cannot be."""
        try:
            write_aside(path, content)
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
            if _was_trained_live(path.parent):
                by_coin.setdefault(coin_of(path.parent), []).append(path.parent)
        for folders in by_coin.values():
            for folder in folders[:-n_kept]:
                if folder not in in_use:
                    _remove(folder)

    def update_historic_data(self, strategy: IStrategy, dk: FreqaiDataKitchen) -> None:
        """Append the newest candles of one pair and of what its features need."""
        with self.history_lock:
            append_newest(self, strategy, dk)

    def forget(self, coin: str) -> None:
        """Go on as if the pair had never been trained; its files stay until they are purged."""
        self.model_dictionary.pop(coin, None)
        self.meta_data_dictionary.pop(coin, None)
        self.pair_dict[coin] = self.empty_pair_dict.copy()
