"""Candles in freqtrade's feather files, as ``freqtrade -d DIRECTORY`` reads them."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from dualwindow.arrays import IntArray
from dualwindow_sandbox import SandboxError
from dualwindow_sandbox.listings import QUOTE, Listing
from dualwindow_sandbox.ohlcv import HOUR, Ohlcv
from dualwindow_sandbox.venues import Market


def spot_file(base: str, timeframe: str) -> str:
    """Name the spot candles of a coin, relative to the data directory."""
    return f"{base}_{QUOTE}-{timeframe}.feather"


def futures_file(base: str, timeframe: str, content: str) -> str:
    """Name the ``futures``, ``mark`` or ``funding_rate`` file of a coin."""
    return f"futures/{base}_{QUOTE}_{QUOTE}-{timeframe}-{content}.feather"


def _dates(time: IntArray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(time.astype("datetime64[ms]")).tz_localize("UTC")


def candle_frame(candles: Ohlcv) -> pd.DataFrame:
    """Return freqtrade's six columns."""
    return pd.DataFrame(
        {
            "date": _dates(candles.time),
            "open": candles.open,
            "high": candles.high,
            "low": candles.low,
            "close": candles.close,
            "volume": candles.volume,
        }
    )


def _frames(market: Market, listing: Listing, start: int, stop: int) -> dict[str, pd.DataFrame]:
    candles = market.minutes(listing.pair, start, stop)
    minutes, hours = candle_frame(candles), candle_frame(candles.resampled(HOUR))
    time, rate = market.funding(listing.pair, start, stop)
    # Since 2026.6 freqtrade keeps funding in two columns; it still reads six.
    funding = pd.DataFrame({"date": _dates(time), "funding_rate": rate})
    return {
        spot_file(listing.base, "1m"): minutes,
        spot_file(listing.base, "1h"): hours,
        futures_file(listing.base, "1m", "futures"): minutes,
        futures_file(listing.base, "1h", "futures"): hours,
        futures_file(listing.base, "1h", "mark"): hours,
        futures_file(listing.base, "1h", "funding_rate"): funding,
    }


def _chosen(market: Market, pairs: Sequence[str]) -> list[Listing]:
    listed = {listing.pair: listing for listing in market.listings}
    unknown = [pair for pair in pairs if pair not in listed]
    if unknown:
        raise SandboxError(
            f"--pairs: {', '.join(unknown)} not listed; choose from {', '.join(listed)}"
        )
    return [listed[pair] for pair in pairs]


def write_candles(
    directory: Path,
    market: Market,
    pairs: Sequence[str],
    start: int,
    stop: int,
    report: Callable[[str], None] = lambda pair: None,
) -> list[Path]:
    """Write 1m and 1h candles, spot and futures, mark prices and funding rates.

    All files are written aside and renamed when the last one is whole; nothing half-written stays.

    Parameters
    ----------
    directory : what ``freqtrade -d`` is given; made if missing
    market : where the candles come from
    pairs : freqtrade's spot names, ``BTC/USDT``
    start, stop : milliseconds, whole hours
    report : is told each pair before it is made

    Returns
    -------
    The files written, in order.
    """
    listings = _chosen(market, pairs)
    names = []
    try:
        (directory / "futures").mkdir(parents=True, exist_ok=True)
        # Inside the target, so that renaming never crosses from one file system to another.
        with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=directory) as aside:
            (Path(aside) / "futures").mkdir()
            for listing in listings:
                report(listing.pair)
                for name, frame in _frames(market, listing, start, stop).items():
                    frame.to_feather(Path(aside) / name, compression="lz4")
                    names.append(name)
            return [(Path(aside) / name).replace(directory / name) for name in names]
    except OSError as problem:
        raise SandboxError(f"--out: cannot write candles to {directory}: {problem}") from problem
