"""Say which files of a FreqAI backtest belong to which candles, and keep it from a crash."""

import io
from pathlib import Path

from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from dualwindow.market.files import write_aside
from dualwindow_freqtrade.backtest.cache import CachedWindow
from dualwindow_freqtrade.backtest.pooling import SharedTrainings, candle_frames, digest_between
from dualwindow_freqtrade.freqai.fingerprint import digest_candles
from dualwindow_freqtrade.freqai.names import BACKTEST_PREDICTION, METADATA_FILE, MODEL_FILE


def cached_windows(
    dataframe: DataFrame,
    dk: FreqaiDataKitchen,
    strategy: IStrategy,
    corr_pairs: list[str],
    shared: SharedTrainings | None,
) -> dict[str, CachedWindow]:
    """Digest the candles of each training window, and of the backtest window after it.

    The candles that the first features look back on count, too. The pair is part of it: FreqAI
    names files after the base coin alone.

    Parameters
    ----------
    dataframe : candles of the pair of `dk`
    dk : knows the windows
    strategy : knows the candles of other timeframes and pairs
    corr_pairs : other pairs that features are made of
    shared : the trainings, if each is of all pairs

    Returns
    -------
    The windows by FreqAI's name for their model.
    """
    frames = candle_frames((dk.pair, *corr_pairs), dk, strategy)
    windows = {}
    for trained, tested in zip(dk.training_timeranges, dk.backtesting_timeranges, strict=True):
        start, stop, end = trained.startdt, trained.stopdt, tested.stopdt
        if shared is None:
            trained_on = f"{dk.pair} {digest_between(frames, start, stop)}"
        else:
            trained_on = shared.digest(dk, corr_pairs, start, stop)
        after = [f[(f["date"] >= stop) & (f["date"] < end)] for f, _ in frames]
        dk.set_new_model_names(dk.pair, int(trained.stopts))
        n_tested = int(dataframe["date"].between(stop, end, inclusive="left").sum())
        predictions = Path(dk.full_path, dk.backtest_predictions_folder)
        windows[dk.model_filename] = CachedWindow(
            start=tested.startdt,
            stop=end,
            trained_on=trained_on,
            tested_on=digest_candles(after),
            n_tested=n_tested,
            prediction=predictions / f"{dk.model_filename}{BACKTEST_PREDICTION}",
            metadata=dk.data_path / f"{dk.model_filename}{METADATA_FILE}",
            model=dk.data_path / f"{dk.model_filename}{MODEL_FILE}",
        )
    return windows


def write_whole_predictions(dk: FreqaiDataKitchen) -> None:
    """Let FreqAI's file of a window's predictions be there wholly or not at all."""

    def save(predictions: DataFrame) -> None:
        path: Path = dk.backtesting_results_path
        path.parent.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO()
        predictions.to_feather(content)
        write_aside(path, content.getvalue())

    dk.save_backtesting_prediction = save


def populate_from_candles(dk: FreqaiDataKitchen, columns: list[str]) -> None:
    """Keep FreqAI from computing features on top of features.

    To compare feature lists it populates the last row of its frame once more. Where a cached
    window follows one that is not, that frame is populated already, and every column would be
    merged twice under a new name.
    """
    populate = dk.use_strategy_to_populate_indicators

    def from_candles(
        strategy: IStrategy, *, prediction_dataframe: DataFrame, pair: str
    ) -> DataFrame:
        return populate(strategy, prediction_dataframe=prediction_dataframe[columns], pair=pair)

    dk.use_strategy_to_populate_indicators = from_candles
