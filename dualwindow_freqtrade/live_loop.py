"""Make FreqAI's live loop one that can be left alone."""

import errno
import logging
import os
import shutil
import signal
import threading
import time
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from freqtrade.configuration import TimeRange
from freqtrade.enums import RunMode
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.freqai.base_models.BaseClassifierModel import BaseClassifierModel
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from dualwindow.learning.artifact import Artifact, Prediction
from dualwindow.learning.training import TrainingError
from dualwindow.settings import GuardSettings
from dualwindow_freqtrade.backtest_cache import differences
from dualwindow_freqtrade.live_drawer import WholeFilesDrawer, heal
from dualwindow_freqtrade.live_guards import Limits, Reading
from dualwindow_freqtrade.live_status import Status

logger = logging.getLogger(__name__)

# Column of FreqAI's stored predictions: when the model that made them was trained.
TRAINED_AT = "model_timestamp"
_REST, _LONGEST_REST = 60, 3600  # seconds after a failed training of a pair; doubled each time
# Errors of the machine, not of the file that was being read.
_PASSING = (errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class _Failures(NamedTuple):
    """How often in a row trainings of a pair have failed, and how long it is left alone."""

    n: int
    rest: float
    rest_until: float


class TrainingStoppedError(Exception):
    """The bot is shutting down."""


class LiveModel(BaseClassifierModel):
    """A classifier that trains in one thread and predicts in another, for weeks.

    What it adds to FreqAI acts in dry and live runs only: files that are whole or not there at
    all, saved models that are taken up only if they are sound and were made in the same way,
    trainings that stop when the bot does, a training thread that does not die, and guards that
    keep the strategy out of new trades.
    """

    # What the model returns beside FreqAI's own columns.
    columns: tuple[str, ...]

    def __init__(self, config: dict[str, Any], guards: GuardSettings, threads: int | None) -> None:
        self._is_live = config.get("runmode") in (RunMode.DRY_RUN, RunMode.LIVE)
        folder = Path(config["user_data_dir"], "models", config["freqai"].get("identifier", ""))
        if self._is_live and folder.is_dir():
            heal(folder)
        super().__init__(config)
        if self._is_live:
            # FreqAI makes its drawer itself; this one differs in how it writes, not in what it has.
            self.dd.__class__ = WholeFilesDrawer
            self._add_missing_columns()
        self._threads_wanted = threads
        self._status = Status(self.full_path, _limits(config, guards))
        self._failures: dict[str, _Failures] = {}
        self._taken_up: set[str] = set()
        self._began = 0.0
        self._judged = False

    @abstractmethod
    def digest_code(self, strategy: IStrategy) -> None:
        """Digest the code as it is when first asked for: `fingerprint` will hold it."""

    @abstractmethod
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that shapes a prediction: two models with the same one can be exchanged."""

    def cap_threads(self) -> None:
        """Leave a live bot one core for its own loop; before TensorFlow's first operation."""
        from dualwindow.models import network

        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        n = self._threads_wanted or (max((cores or 1) - 1, 1) if self._is_live else None)
        if n is not None:
            network.use_threads(n)

    # --- start ---------------------------------------------------------------------------------

    def start_live(
        self,
        dataframe: DataFrame,
        metadata: dict[str, Any],
        strategy: IStrategy,
        dk: FreqaiDataKitchen,
    ) -> FreqaiDataKitchen:
        """Predict one pair as FreqAI does, and write down how that went."""
        self._began, self._judged = time.monotonic(), False
        pair = metadata["pair"]
        # Without a model, FreqAI returns only the classes it happened to see.
        dk.unique_class_list = list(self.columns)
        self.digest_code(strategy)
        if not self.scanning:
            self.cap_threads()
        # All of them before the thread begins to train; a pair that joins later when it comes.
        for known in (pair, *(() if self.scanning else strategy.dp.current_whitelist())):
            if known not in self._taken_up:
                self._take_up(known)
                self._taken_up.add(known)
        dk = super().start_live(dataframe, metadata, strategy, dk)
        has_model = TRAINED_AT in dk.data["extra_returns_per_train"]
        if has_model and not self._judged and dk.check_if_model_expired(self._trained_at(dk)):
            # FreqAI has not asked it.
            self._judge(pair, dataframe["date"].iloc[-1].timestamp(), None, dk)
        self._status.waits(pair, self._trained_at(dk) if has_model else None)
        self._status.write()
        return dk

    def watch_candles(self, now: float, pairs: Iterable[str]) -> None:
        """Look whether candles still come; for a strategy's `bot_loop_start`.

        Without new ones FreqAI is not asked at all, and freqtrade keeps its last signals.

        Parameters
        ----------
        now : seconds since 1970 UTC
        pairs : the current whitelist
        """
        self._status.look(now, self.base_tf_seconds, pairs)

    def _add_missing_columns(self) -> None:
        """Let FreqAI go on with predictions stored before there was a column."""
        names = [TRAINED_AT, *self.freqai_info.get("extra_returns_per_train", {})]
        if self.ft_params.get("DI_threshold", 0) > 0:
            names.append("DI_values")
        for pair, frame in list(self.dd.historic_predictions.items()):
            if "date_pred" not in frame:  # FreqAI was stopped amid the first one, which is empty
                del self.dd.historic_predictions[pair]
                continue
            for name in names:
                if name not in frame:
                    frame[name] = 0.0

    def _take_up(self, pair: str) -> None:
        """Load a saved model now, or go on as if there were none: a new one will be trained."""
        if not self.dd.get_pair_dict_info(pair)[0]:
            return
        dk = FreqaiDataKitchen(self.config, live=True, pair=pair)
        try:
            model: Artifact = self.dd.load_data(pair, dk)
            recorded, now = model.metadata["made_from"], self.fingerprint()
            changed = differences(recorded, now, sorted(recorded.keys() | now.keys()))
            reason = f"it was made with other settings or code: {'; '.join(changed)}"
            if not changed:
                changed = [] if model.is_sound() else ["weights"]
                reason = "its weights are no numbers"
        except Exception as error:  # whatever a damaged pickle raises
            if _is_passing(error):
                raise
            changed, reason = ["file"], f"it is missing or damaged: {type(error).__name__}: {error}"
        if changed:
            self.dd.forget(pair)
            logger.warning(
                "%s: the model in %s is not used, a new one will be trained; %s",
                pair,
                dk.data_path,
                reason,
            )
        else:
            logger.info("%s: goes on with the model in %s", pair, dk.data_path)

    # --- training ------------------------------------------------------------------------------

    def stop_if_asked(self) -> None:
        """End a training when the bot shuts down; called between its steps."""
        if not self._goes_on(0):
            raise TrainingStoppedError

    def _goes_on(self, seconds: int) -> bool:
        """Wait, unless the bot stops or has stopped meanwhile.

        freqtrade's cleaning up, which sets the event, does not survive a second signal; the main
        thread's end can be seen in any case.
        """
        for _ in range(seconds):
            if self._stop_event.wait(1) or not threading.main_thread().is_alive():
                break
        return threading.main_thread().is_alive() and not self._stop_event.is_set()

    def start_scanning(self, *arguments: Any, **options: Any) -> None:
        """Start the thread that trains, and one that sees to the end of the process."""
        super().start_scanning(*arguments, **options)
        threading.Thread(target=self._end_with_main_thread, daemon=True).start()

    def _end_with_main_thread(self) -> None:
        """End a process whose bot has ended.

        If a second signal breaks freqtrade's cleaning up off, its REST server keeps the process
        alive, and answers for a bot that no longer trades. Usually the process ends before this.
        """
        threading.main_thread().join()
        for thread in self._threads:
            thread.join(5)
        time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _start_scanning(self, strategy: IStrategy) -> None:
        """Train the most overdue pair, again and again, until the bot stops.

        FreqAI's own loop dies silently of an error outside of a training, waits for the pair at
        the head of its queue while others are due, and repeats what has failed every second.
        """
        while self._goes_on(1):
            try:
                self._train_most_overdue(strategy)
            except Exception:
                logger.exception("The training thread failed; it goes on in %d s", _REST)
                self._goes_on(_REST)
        self.dd.save_historic_predictions_to_disk()
        self._status.stopped()

    def _train_most_overdue(self, strategy: IStrategy) -> None:
        now = time.monotonic()
        pairs = [
            pair
            for pair in strategy.dp.current_whitelist()
            if pair not in self._failures or now > self._failures[pair].rest_until
        ]
        if not pairs:
            return
        trained, pair = min((self.dd.get_pair_dict_info(pair)[1], pair) for pair in pairs)
        dk = FreqaiDataKitchen(self.config, self.live, pair)
        due, timerange, loaded = dk.check_if_new_training_required(trained)
        if not due:
            return
        dk.set_paths(pair, timerange.stopts)
        self.train_timer("start")
        try:
            self.extract_data_and_train_model(timerange, pair, strategy, dk, loaded)
        except Exception as error:
            rest = self._failures[pair].rest
            known = isinstance(error, TrainingError | FloatingPointError) or _is_passing(error)
            logger.error(
                "%s: training failed, it is tried again in %d s: %s: %s",
                pair,
                rest,
                type(error).__name__,
                error,
                exc_info=None if known else error,
            )
        self.train_timer("stop", pair)
        self.dd.save_historic_predictions_to_disk()
        if self.freqai_info.get("write_metrics_to_disk", False):
            self.dd.save_metric_tracker_to_disk()

    def extract_data_and_train_model(
        self,
        new_trained_timerange: TimeRange,
        pair: str,
        strategy: IStrategy,
        dk: FreqaiDataKitchen,
        data_load_timerange: TimeRange,
    ) -> None:
        """Train and save, or leave everything as it was."""
        before = dict(self.dd.pair_dict[pair])
        try:
            self.stop_if_asked()
            super().extract_data_and_train_model(
                new_trained_timerange, pair, strategy, dk, data_load_timerange
            )
        except Exception as error:
            now = self.dd.pair_dict[pair]
            if now["model_filename"] == before["model_filename"]:
                now["trained_timestamp"] = before["trained_timestamp"]
                shutil.rmtree(dk.data_path, ignore_errors=True)
            if isinstance(error, TrainingStoppedError):
                logger.info("%s: training stopped; the model before it stays", pair)
                return
            n = self._failures[pair].n + 1 if pair in self._failures else 1
            rest = min(_REST * 2 ** (n - 1), _LONGEST_REST)
            self._failures[pair] = _Failures(n, rest, time.monotonic() + rest)
            diverged = str(error) if isinstance(error, FloatingPointError) else None
            self._status.failed(pair, diverged)
            raise
        self._failures.pop(pair, None)
        self._status.trained(pair, new_trained_timerange.stopts)
        self._status.write()

    # --- guards --------------------------------------------------------------------------------

    def guard(self, prediction: Prediction, opened: float, dk: FreqaiDataKitchen) -> None:
        """Judge the newest row; if it is in trouble, it is no prediction any more.

        Parameters
        ----------
        prediction : of a live run; changed in place
        opened : when the newest candle opened, seconds since 1970 UTC
        dk : of the pair
        """
        if dk.pair not in self.dd.model_return_values:
            return  # FreqAI shows the first prediction of a process to nobody
        seen = prediction.valid[-1] or prediction.failed[-1]
        scores = prediction.scores[-1].copy() if seen else None  # the row may be emptied below
        if not self._judge(dk.pair, opened, scores, dk):
            prediction.valid[-1] = False
            prediction.probabilities[-1] = prediction.scores[-1] = np.nan

    def _judge(
        self, pair: str, opened: float, scores: np.ndarray | None, dk: FreqaiDataKitchen
    ) -> bool:
        self._judged = True
        reading = Reading(
            now=time.time(),
            closed=opened + self.base_tf_seconds,
            trained=self._trained_at(dk),
            duration=time.monotonic() - self._began,
            scores=scores,
        )
        return self._status.predicted(pair, reading)

    def _trained_at(self, dk: FreqaiDataKitchen) -> int:
        return int(dk.data["extra_returns_per_train"][TRAINED_AT])


def _is_passing(error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, OSError) and error.errno in _PASSING


def _limits(config: Mapping[str, Any], guards: GuardSettings) -> Limits:
    candle = timeframe_to_seconds(config["timeframe"])
    hours = config["freqai"].get("expiration_hours", 0)
    return Limits(
        candle_age=guards.max_candle_age * candle,
        duration=guards.max_prediction_share * candle,
        identical=guards.max_identical,
        model_age=3600.0 * hours if hours > 0 else np.inf,
    )
