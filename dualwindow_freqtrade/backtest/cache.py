"""Remember what cached predictions were made from, so that stale ones are refused.

FreqAI reuses the files under an identifier whenever their row count matches. The record beside
them holds everything that shaped them: settings, code, libraries, and the candles of each window.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from freqtrade.exceptions import OperationalException
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

from dualwindow.learning.fingerprint import all_differences, differences, flatten
from dualwindow.market.files import write_aside
from dualwindow_freqtrade.freqai.fingerprint import Fingerprint
from dualwindow_freqtrade.freqai.folder_use import remedy
from dualwindow_freqtrade.freqai.names import (
    ALL_TRAININGS,
    BACKTEST_PREDICTION,
    METADATA_FILE,
    MODEL_FILE,
)

_FILE = "dualwindow_cache.json"


class CacheError(ValueError):
    """What is cached was made from something else."""


class CacheRecord:
    """The record in the folder of one FreqAI identifier.

    It is read anew at every use, because a live bot and a backtest may share the folder, and
    written aside and renamed. An empty folder has an empty record: everything agrees with it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / _FILE

    def check(self, part: str, facts: Mapping[str, Any]) -> None:
        """Compare facts with those recorded; one that is new or gone differs, too.

        Raises
        ------
        CacheError
            If any differs, naming it with both values, or if the record cannot be read.
        """
        recorded, found = self._read().get(part), flatten(facts)
        if recorded is not None:
            self._refuse(part, all_differences(recorded, found))

    def check_recorded(self, part: str, facts: Mapping[str, Any]) -> bool:
        """Compare only facts recorded under the same names; tell whether all of them are.

        Raises
        ------
        CacheError
            As for `check`.
        """
        recorded, found = self._read().get(part, {}), flatten(facts)
        self._refuse(
            part, differences(recorded, found, [name for name in found if name in recorded])
        )
        return found.keys() <= recorded.keys()

    def add(self, part: str, facts: Mapping[str, Any]) -> None:
        """Record facts, beside those already there."""
        everything = self._read()
        before = everything.get(part, {})
        everything[part] = before | flatten(facts)
        if everything[part] == before:
            return
        write_aside(self._path, json.dumps(everything, indent=1, sort_keys=True).encode())

    def check_all(self, parts: Mapping[str, Mapping[str, Any]]) -> None:
        """Compare all parts, as `check` does."""
        for part, facts in parts.items():
            self.check(part, facts)

    def binds(self) -> bool:
        """Tell whether there is anything that was made from what is recorded.

        A run that ended before its first prediction leaves a record, and nothing that it is of.
        """
        patterns = (f"*/*{BACKTEST_PREDICTION}", f"{ALL_TRAININGS}/*{MODEL_FILE}")
        return any(any(self._folder.glob(pattern)) for pattern in patterns)

    def forget(self) -> None:
        """Go on as in an empty folder."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self._path.is_file():
            return {}
        try:
            return dict(json.loads(self._path.read_text()))
        except ValueError as error:
            raise CacheError(f"{self._path} is damaged ({error}); {self._remedy}") from error

    def _refuse(self, part: str, changed: list[str]) -> None:
        if changed:
            raise CacheError(
                f"the models and predictions in {self._folder} were made with other {part} "
                f"({'; '.join(changed)}); {self._remedy}"
            )

    @property
    def _remedy(self) -> str:
        return remedy(self._folder)


@dataclass(frozen=True)
class CachedWindow:
    """The files of one backtest window, and what they must have been made from.

    Parameters
    ----------
    start, stop : first moment of the candles to predict, and the first after them
    trained_on, tested_on : pair and digest of the candles
    n_tested : candles to predict, by which FreqAI decides whether it reuses the predictions
    prediction, metadata, model : FreqAI's files, which may exist or not
    """

    start: datetime
    stop: datetime
    trained_on: str
    tested_on: str
    n_tested: int
    prediction: Path
    metadata: Path
    model: Path

    @property
    def facts(self) -> dict[str, str]:
        """What is recorded of the window, under names of its own."""
        tested = f"{self.prediction.stem} tested on {self.n_tested} candles"
        return {**self._of_training, tested: self.tested_on}

    @property
    def _of_training(self) -> dict[str, str]:
        return {f"{self.prediction.stem} trained": self.trained_on}

    def is_reused(self, record: CacheRecord) -> bool:
        """Tell whether FreqAI will reuse the predictions, after making sure that it may.

        Predictions whose metadata live purging has taken away are deleted: FreqAI would stop.

        Raises
        ------
        CacheError
            If predictions or a model would be reused that are damaged, made from other candles, or
            that no backtest has made here: a bot's model may end at the second of a window, and a
            promoted one does.
        """
        reused = False
        if self.prediction.is_file() and self.metadata.is_file():
            try:
                json.loads(self.metadata.read_text())
                reused = len(pd.read_feather(self.prediction)) == self.n_tested
            except (OSError, ValueError) as error:
                raise CacheError(
                    f"{self.prediction} or {self.metadata} is damaged ({error}); delete both and "
                    "run again"
                ) from error
        elif self.prediction.is_file():
            self.prediction.unlink()
        if not reused and not self.model.is_file():
            return False  # what an interrupted run has recorded binds nobody
        used, facts = (self.prediction, self.facts) if reused else (self.model, self._of_training)
        if not record.check_recorded("candles", facts):
            raise CacheError(
                f"{used} would be used, but no backtest under this identifier has recorded what it "
                f"was made from; {remedy(self.prediction.parents[1])}"
            )
        return reused


class BacktestCache:
    """Sees to it that what FreqAI reuses of a backtest was made by this model from these candles.

    Parameters
    ----------
    folder : of the FreqAI identifier
    fingerprint : of the model
    """

    def __init__(self, folder: Path, fingerprint: Fingerprint) -> None:
        self._record, self._fingerprint = CacheRecord(folder), fingerprint
        self._windows: dict[str, dict[str, CachedWindow]] = {}
        self._failures: dict[tuple[str, str], Exception] = {}

    def check(
        self, pair: str, windows: Mapping[str, CachedWindow], *, is_continual: bool
    ) -> list[bool]:
        """Refuse predictions and models of other settings, code, libraries or candles.

        Parameters
        ----------
        pair : that is predicted next
        windows : all of the pair, by FreqAI's name for their model
        is_continual : whether a training goes on from the model of the window before, which cached
            predictions do not bring: then all or none are reused

        Returns
        -------
        Of each window, whether FreqAI will reuse its predictions.
        """
        self._windows[pair] = dict(windows)
        try:
            self._check_model()
            reused = [window.is_reused(self._record) for window in windows.values()]
        except CacheError as error:
            raise OperationalException(str(error)) from error
        if is_continual and not all(reused):
            for window in windows.values():
                window.prediction.unlink(missing_ok=True)
            return [False] * len(windows)
        return reused

    def _check_model(self) -> None:
        try:
            self._record.check_all(self._fingerprint.parts())
        except CacheError:
            if self._record.binds():
                raise
            self._record.forget()

    def remember(self, dk: FreqaiDataKitchen) -> None:
        """Record what the files that FreqAI is about to write were made from."""
        self._remember(self._windows[dk.pair][dk.model_filename].facts)

    def remember_all(self, pair: str) -> None:
        """Record what the files of all windows of a pair will be made from.

        Then workers that train them find all they would add, and none of them writes the record.
        """
        for window in self._windows[pair].values():
            self._remember(window.facts)

    def _remember(self, candles: Mapping[str, str]) -> None:
        for part, facts in self._fingerprint.parts().items():
            self._record.add(part, facts)
        self._record.add("candles", candles)

    def remember_failure(self, dk: FreqaiDataKitchen, error: Exception) -> None:
        """Keep why a training failed, which FreqAI only logs."""
        self._failures[dk.pair, dk.model_filename] = error

    def stop_after_failure(self, dk: FreqaiDataKitchen) -> NoReturn:
        """Stop the run where FreqAI would cache zeros for a failed training and go on."""
        for leftover in dk.data_path.glob(f"{dk.model_filename}{METADATA_FILE}"):
            leftover.unlink()
        error = self._failures.get((dk.pair, dk.model_filename))
        raise OperationalException(
            "the backtest stops, because a training failed: "
            f"{error or 'the traceback above says why'}"
        ) from error

    def windows(self, pair: str) -> list[CachedWindow]:
        """Give the windows of a pair, which FreqAI forgets."""
        return list(self._windows.get(pair, {}).values())
