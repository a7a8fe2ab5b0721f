"""Train the pairs of a live bot in a thread that can be left alone."""

import logging
import math
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from freqtrade.configuration import TimeRange
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.freqai.freqai_interface import IFreqaiModel
from freqtrade.strategy import IStrategy

from dualwindow.market.files import is_of_machine
from dualwindow.outside import elapsed
from dualwindow.samples.data import TrainingError
from dualwindow_freqtrade.live.fetching import (
    CandlesNotFetchedError,
    TrainingStoppedError,
    complete_history,
    missing_spans,
    needed_for,
)
from dualwindow_freqtrade.live.memory import give_memory_back
from dualwindow_freqtrade.live.pace import Pace
from dualwindow_freqtrade.live.pooling import SharedTraining, Span
from dualwindow_freqtrade.live.status import Status

logger = logging.getLogger(__name__)

_REST, _LONGEST_REST = 60, 3600  # seconds after a failed training of a pair; doubled each time
_ALL = "all pairs"  # whose training is shared
_PATIENCE = 3  # tries of it that end where candles of a pair cannot be fetched


class _Failures(NamedTuple):
    """How often in a row trainings of a pair have failed, and how long it is left alone."""

    n: int
    rest: float
    rest_until: float


_EXPECTED = (TrainingError, FloatingPointError, CandlesNotFetchedError)  # need no traceback


class Beside(Protocol):
    """Something that is looked after between trainings, and never waits."""

    def look(self) -> None:
        """Do what is due."""

    def stop(self) -> None:
        """End with the bot."""


class LiveLoop:
    """Keeps models young: trains one pair after the other, and stops when the bot does.

    Parameters
    ----------
    model : FreqAI's, which trains
    status : counts trainings
    pace : is told how long they take
    shared : trains all pairs at once, if that is asked for
    beside : is looked after between trainings
    """

    def __init__(
        self,
        model: IFreqaiModel,
        status: Status,
        pace: Pace,
        shared: SharedTraining | None,
        beside: Beside,
    ) -> None:
        self._model, self._status, self._pace, self._shared = model, status, pace, shared
        self._beside = beside
        self._failures: dict[str, _Failures] = {}
        self._training: frozenset[str] = frozenset()
        self._has_trained = False
        self._asked: dict[str, float] = {}  # when the exchange was asked for more candles of a pair

    def is_training(self, pair: str) -> bool:
        """Whether this pair is in training now."""
        return pair in self._training

    def stop_if_asked(self) -> None:
        """End a training when the bot shuts down; called between its steps."""
        if not self._goes_on(0):
            raise TrainingStoppedError

    def _goes_on(self, seconds: int) -> bool:
        """Wait, unless the bot stops or has stopped meanwhile.

        freqtrade's cleaning up, which sets the event, does not survive a second signal; the main
        thread's end can be seen in any case.
        """
        self._status.flush()
        stop = self._model._stop_event
        for _ in range(seconds):
            if stop.wait(1) or not threading.main_thread().is_alive():
                break
        return threading.main_thread().is_alive() and not stop.is_set()

    def run(self, strategy: IStrategy) -> None:
        """Train the most overdue pair, again and again, until the bot stops.

        FreqAI's own loop dies silently of an error outside of a training, waits for the pair at
        the head of its queue while others are due, and repeats what has failed every second.
        """
        is_first = True
        while self._goes_on(1):
            try:
                if is_first:
                    self.take_pace_of_saved_models(strategy)
                    is_first = False
                self._train_what_is_due(strategy)
                self._beside.look()
            except Exception:
                logger.exception("The training thread failed; it goes on in %d s", _REST)
                self._goes_on(_REST)
        self._beside.stop()
        self._model.dd.save_historic_predictions_to_disk()
        self._status.stop()

    def take_pace_of_saved_models(self, strategy: IStrategy) -> None:
        """Work out from the trainings of before whether retraining will keep up."""
        models = self._model.dd.model_dictionary.values()
        n_pairs = len(strategy.dp.current_whitelist())
        self._pace.take([model.record.seconds for model in models], n_pairs)

    def _train_what_is_due(self, strategy: IStrategy) -> None:
        if self._shared is None:
            self._train_most_overdue(strategy)
        else:
            self._train_all(self._shared, strategy)

    def _train_most_overdue(self, strategy: IStrategy) -> None:
        model = self._model
        whitelist = strategy.dp.current_whitelist()
        pairs = self._rested(whitelist)
        if not pairs:
            return
        trained, pair = min((model.dd.trained_at(pair), pair) for pair in pairs)
        dk = FreqaiDataKitchen(model.config, model.live, pair)
        due, timerange, loaded = dk.check_if_new_training_required(trained)
        if not due:
            return
        dk.set_paths(pair, timerange.stopts)
        with self._timed(pair, [pair], len(whitelist)):
            model.extract_data_and_train_model(timerange, pair, strategy, dk, loaded)

    def _train_all(self, shared: SharedTraining, strategy: IStrategy) -> None:
        """Hand the newest model to pairs that lack it; train when it is due itself."""
        model, pairs = self._model, strategy.dp.current_whitelist()
        for pair in self._rested(pairs):
            try:
                shared.hand_on(pair)
            except Exception as error:
                self._count_failure(pair, error, [pair])
                self._log_failure(pair, error)
            else:
                self._failures.pop(pair, None)
        if not pairs or not self._rested([_ALL]):
            return
        dk = FreqaiDataKitchen(model.config, model.live, pairs[0])
        due, timerange, loaded = dk.check_if_new_training_required(
            max(map(model.dd.trained_at, pairs))
        )
        if due:
            with self._timed(_ALL, pairs, len(pairs)):
                self._train_together(shared, pairs, Span(timerange, loaded), strategy)

    def _train_together(
        self, shared: SharedTraining, pairs: Sequence[str], span: Span, strategy: IStrategy
    ) -> None:
        def complete(pair: str) -> None:
            self.stop_if_asked()
            self._complete_history(pair, span.trained_on, strategy)

        try:
            failed = shared.train(pairs, span, complete, strategy, is_patient=self._is_patient())
        except TrainingStoppedError:
            logger.info("The training of all pairs was stopped; the model before it stays")
            return
        except Exception as error:
            self._count_failure(_ALL, error, pairs)
            raise
        finally:
            self._give_memory_back()
        self._failures.pop(_ALL, None)
        for pair, why in failed.items():
            self._count_failure(pair, why, [pair])
            self._log_failure(pair, why)
        self._status.write()

    def _is_patient(self) -> bool:
        """Whether a pair whose candles cannot be fetched is still waited for."""
        return _ALL not in self._failures or self._failures[_ALL].n < _PATIENCE

    @contextmanager
    def _timed(self, name: str, pairs: Sequence[str], n_pairs: int) -> Iterator[None]:
        """Follow a training; what it raises is logged, and what is predicted meanwhile is saved."""
        model = self._model
        model.train_timer("start")
        began, self._training = elapsed(), frozenset(pairs)
        try:
            yield
        except Exception as error:
            self._log_failure(name, error)
        else:
            self._pace.take([elapsed() - began], n_pairs)
        finally:
            self._training = frozenset()
        model.train_timer("stop", pairs[0])
        model.dd.save_historic_predictions_to_disk()
        if model.freqai_info.get("write_metrics_to_disk", False):
            model.dd.save_metric_tracker_to_disk()

    def _complete_history(self, pair: str, trained_on: TimeRange, strategy: IStrategy) -> None:
        """Fetch what the start could not, or what an outage has left out.

        Without it nothing is trained: a model of a fraction of its candles would be used for hours.
        What the exchange does not have is asked for once an hour: a young coin has no more.
        """
        drawer, config = self._model.dd, self._model.config
        needed = needed_for(trained_on, config)
        wanted = missing_spans(drawer, pair, needed)
        asked = self._asked.get(pair, -math.inf)
        if not wanted or strategy.dp._exchange is None or elapsed() < asked + _LONGEST_REST:
            return
        logger.info("%s: candles that its training needs are fetched (%s)", pair, _named(wanted))
        try:
            complete_history(drawer, wanted, config, self.stop_if_asked)
        except TrainingStoppedError:
            raise
        except Exception as error:  # of the exchange, of ccxt, of the network
            text = f"the candles of {pair} could not be fetched: {error}"
            raise CandlesNotFetchedError(text) from error
        if left := missing_spans(drawer, pair, needed):
            self._asked[pair] = elapsed()
            logger.warning(
                "%s: the exchange lacks candles for its training: %s", pair, _named(left)
            )

    def _rested(self, pairs: Iterable[str]) -> list[str]:
        now = elapsed()
        return [p for p in pairs if p not in self._failures or now > self._failures[p].rest_until]

    def _log_failure(self, pair: str, error: Exception) -> None:
        is_expected = isinstance(error, _EXPECTED) or is_of_machine(error)
        logger.error(
            "%s: training failed, it is tried again in %d s: %s: %s",
            pair,
            self._failures[pair].rest if pair in self._failures else 1,
            type(error).__name__,
            error,
            exc_info=None if is_expected else error,
        )

    def train_or_undo(
        self,
        train: Callable[[], None],
        trained_on: TimeRange,
        strategy: IStrategy,
        dk: FreqaiDataKitchen,
    ) -> None:
        """Let FreqAI train and save, or leave everything as it was.

        Parameters
        ----------
        train : FreqAI's own method, which notes the time of a training also if saving it fails
        trained_on : its candles, which are fetched first where memory lacks them
        strategy : asks the exchange
        dk : of the pair, and where the model is saved
        """
        pair = dk.pair
        pairs = self._model.dd.pair_dict
        before = dict(pairs[pair])
        try:
            self.stop_if_asked()
            self._complete_history(pair, trained_on, strategy)
            train()
        except Exception as error:
            now = pairs[pair]
            if now["model_filename"] == before["model_filename"]:
                now["trained_timestamp"] = before["trained_timestamp"]
                shutil.rmtree(dk.data_path, ignore_errors=True)
            if isinstance(error, TrainingStoppedError):
                logger.info("%s: training stopped; the model before it stays", pair)
                return
            self._count_failure(pair, error, [pair])
            raise
        finally:
            self._give_memory_back()
        self._failures.pop(pair, None)
        self._status.trained(pair, trained_on.stopts)
        self._status.write()

    def _give_memory_back(self) -> None:
        give_memory_back(is_first=not self._has_trained)
        self._has_trained = True

    def _count_failure(self, name: str, error: Exception, pairs: Sequence[str]) -> None:
        """Let what has failed rest, and note it for all pairs that it was for."""
        n = self._failures[name].n + 1 if name in self._failures else 1
        rest = min(_REST * 2 ** (n - 1), _LONGEST_REST)
        self._failures[name] = _Failures(n, rest, elapsed() + rest)
        diverged = str(error) if isinstance(error, FloatingPointError) else None
        for pair in pairs:
            self._status.training_failed(pair, diverged)


def _named(spans: Mapping[tuple[str, str], Sequence[tuple[int, int]]]) -> str:
    """Name pairs and timeframes, and how many hours of each."""
    hours = {key: sum(end - begin for begin, end in parts) / 3600 for key, parts in spans.items()}
    return ", ".join(f"{pair} {timeframe}: {n:.1f} h" for (pair, timeframe), n in hours.items())
