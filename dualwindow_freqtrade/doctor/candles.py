"""Hold the candles on disk against what trainings need."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from freqtrade.configuration import TimeRange
from freqtrade.data.history import load_pair_history
from freqtrade.exchange import timeframe_to_seconds
from pandas import DataFrame

from dualwindow.market.candle_files import CandleFileError, candle_path
from dualwindow.market.quality import Quality, quality_of
from dualwindow.settings import Settings
from dualwindow_freqtrade.doctor.downloads import Missing, again, commands
from dualwindow_freqtrade.doctor.patient import Patient
from dualwindow_freqtrade.doctor.rows import NotThereError, Row, State, passed
from dualwindow_freqtrade.live.candles import inputs
from dualwindow_freqtrade.live.fetching import lacking

_DAY = 86400
_BELOW = "download them: the command is below"


class _Asked(NamedTuple):
    """What a backtest of the configuration predicts; without a timerange, nothing."""

    start: int | None
    stop: int | None

    def how_bad(self, missing: Sequence[Missing]) -> State:
        """How bad it is that candles are missing.

        A bot fetches them itself. A backtest cannot train without those before the first it
        predicts; where the last are missing, it ends earlier.
        """
        if self.start is None or all(each.start > self.start for each in missing):
            return State.WARN
        return State.FAIL


def look_at_candles(patient: Patient) -> Iterator[Row]:
    """Look at every pair and timeframe that features are computed from."""
    asked, rows, lost = _asked(patient), list[Row](), list[Missing]()
    wanted = dict.fromkeys(each for pair in patient.pairs for each in inputs(pair, patient.freqai))
    if not wanted:
        raise NotThereError("there are no pairs or timeframes")
    for pair, timeframe in wanted:
        try:
            frame = _on_disk(patient, pair, timeframe)
        except Exception as error:  # a damaged file raises whatever it likes
            told = f"damaged: {error or type(error).__name__}"
            rows.append(
                Row(f"{pair} {timeframe}", State.FAIL, told, again(patient, pair, timeframe))
            )
            continue
        missing = _missing(patient, pair, timeframe, frame, asked)
        rows.append(_looked_at(patient, pair, timeframe, frame, missing, asked))
        lost += missing
    yield from _together(patient, rows, lost, asked)


def _together(
    patient: Patient, rows: list[Row], lost: list[Missing], asked: _Asked
) -> Iterator[Row]:
    """Let one command fetch what several files lack."""
    lacking_rows = {f"{each.pair} {each.timeframe}" for each in lost}
    if len(lacking_rows) < 2:
        yield from rows
        return
    for row in rows:
        yield replace(row, fix=_BELOW) if row.topic in lacking_rows else row
    told = f"{len(lacking_rows)} of {len(rows)} files lack days"
    yield Row("candles", asked.how_bad(lost), told, commands(patient, lost))


def _asked(patient: Patient) -> _Asked:
    words = patient.config.get("timerange")
    if not words:
        return _Asked(None, None)
    span = TimeRange.parse_timerange(str(words))
    return _Asked(span.startts or None, span.stopts or None)


def _on_disk(patient: Patient, pair: str, timeframe: str) -> DataFrame:
    """Load a file as freqtrade does, which takes a damaged one for none."""
    config = patient.config
    frame = load_pair_history(
        pair=pair,
        timeframe=timeframe,
        datadir=config["datadir"],
        fill_up_missing=False,
        data_format=config["dataformat_ohlcv"],
        candle_type=config["candle_type_def"],
    )
    path = candle_path(Path(config["datadir"]), pair, timeframe)
    files = list(path.parent.glob(f"{path.name}.*"))
    if frame.empty and files:
        raise CandleFileError(f"{files[0]} cannot be read, or holds nothing")
    return frame


def _looked_at(
    patient: Patient,
    pair: str,
    timeframe: str,
    frame: DataFrame,
    missing: list[Missing],
    asked: _Asked,
) -> Row:
    topic, step, told = f"{pair} {timeframe}", timeframe_to_seconds(timeframe), "none on disk"
    quality = None if frame.empty else quality_of(frame, step)
    if quality is not None:
        last = frame["date"].iloc[-1].timestamp() + step
        told = f"{_day(frame['date'].iloc[0].timestamp())} to {_day(last)}"
        told += _wrong(quality, patient)
    if missing:
        words = ", ".join(f"{_day(each.start)} to {_day(each.stop)}" for each in missing)
        days = sum(each.stop - each.start for each in missing) / _DAY
        told += f"; {days:.1f} days missing: {words}"
        return Row(topic, asked.how_bad(missing), told, commands(patient, missing))
    assert quality is not None  # or all would be missing
    if n := quality.unknown + quality.not_positive + quality.crossed:
        told += f"; {n} with prices that are none"
        return Row(topic, State.FAIL, told, again(patient, pair, timeframe))
    if quality.longest_gap * step > _DAY:  # outages of an exchange are of hours
        fix = f"no window goes over gaps; to fetch them: {again(patient, pair, timeframe)}"
        return Row(topic, State.WARN, told, fix)
    return passed(topic, told)


def _missing(
    patient: Patient, pair: str, timeframe: str, frame: DataFrame, asked: _Asked
) -> list[Missing]:
    """List what is missing at either end; gaps amid candles were none when they were fetched."""
    step = timeframe_to_seconds(timeframe)
    if frame.empty:
        start, stop = _needed(patient, timeframe, asked, int(patient.now))
        return [Missing(pair, timeframe, start, stop, is_before=False)]
    first, last = (int(frame["date"].iloc[i].timestamp()) for i in (0, -1))
    start, stop = _needed(patient, timeframe, asked, last + step)
    stop = stop // step * step  # the last candle of another timeframe closes there, or before
    holes = lacking(frame, timeframe, TimeRange("date", "date", start, stop))
    return [
        Missing(pair, timeframe, a, b, is_before=a < first)
        for a, b in holes
        if a <= start or b >= stop
    ]


def _needed(patient: Patient, timeframe: str, asked: _Asked, last: int) -> tuple[int, int]:
    """Say from where to where candles are needed: seconds since 1970 UTC."""
    days = patient.freqai.get("train_period_days", 0)
    stop = min(asked.stop or last, int(patient.now))
    start = asked.start if asked.start is not None else last
    startup = patient.startup_candles * timeframe_to_seconds(timeframe)
    return int(start - days * _DAY - startup), stop


def _wrong(quality: Quality, patient: Patient) -> str:
    told = []
    if quality.gaps:
        plural = "" if quality.gaps == 1 else "s"
        told.append(f"{quality.gaps} gap{plural} of {quality.missing} candles")
    most = patient.own.get("max_untraded_candles", Settings().max_untraded)
    if quality.longest_untraded > most:
        told.append(
            f"{quality.longest_untraded} candles in a row without volume, which count as a gap"
        )
    return "".join(f", {each}" for each in told)


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
