"""Hold the candles on disk against what trainings need, and name the command that fetches them."""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from freqtrade.configuration import TimeRange
from freqtrade.data.history import load_pair_history
from freqtrade.exchange import timeframe_to_seconds
from pandas import DataFrame

from dualwindow.market.quality import Quality, quality_of
from dualwindow.settings import Settings
from dualwindow_freqtrade.doctor.patient import Patient
from dualwindow_freqtrade.doctor.rows import NotThereError, Row, State, passed
from dualwindow_freqtrade.live.candles import inputs
from dualwindow_freqtrade.live.fetching import lacking

_DAY = 86400
_LONG = 60  # missing candles in a row; an outage of the exchange is seldom longer than hours
Span = tuple[int, int]


class _Asked(NamedTuple):
    """What a backtest of the configuration predicts; without a timerange, nothing."""

    start: int | None
    stop: int | None


def look_at_candles(patient: Patient) -> Iterator[Row]:
    """Look at every pair and timeframe that features are computed from."""
    asked = _asked(patient)
    wanted = dict.fromkeys(each for pair in patient.pairs for each in inputs(pair, patient.freqai))
    if not wanted:
        raise NotThereError("there are no pairs or timeframes")
    for pair, timeframe in wanted:
        topic = f"{pair} {timeframe}"
        try:
            frame = _on_disk(patient, pair, timeframe)
        except Exception as error:  # a damaged file raises whatever it likes
            fix = f"{_download(patient, pair, timeframe, None)} --erase"
            yield Row(topic, State.FAIL, f"damaged: {type(error).__name__}: {error}", fix)
            continue
        yield from _look_at(patient, pair, timeframe, frame, asked)


def _asked(patient: Patient) -> _Asked:
    words = patient.config.get("timerange")
    if not words:
        return _Asked(None, None)
    span = TimeRange.parse_timerange(str(words))
    return _Asked(span.startts or None, span.stopts or None)


def _on_disk(patient: Patient, pair: str, timeframe: str) -> DataFrame:
    config = patient.config
    return load_pair_history(
        pair=pair,
        timeframe=timeframe,
        datadir=config["datadir"],
        fill_up_missing=False,
        data_format=config["dataformat_ohlcv"],
        candle_type=config["candle_type_def"],
    )


def _look_at(
    patient: Patient, pair: str, timeframe: str, frame: DataFrame, asked: _Asked
) -> Iterator[Row]:
    topic, step = f"{pair} {timeframe}", timeframe_to_seconds(timeframe)
    if frame.empty:
        needed = _needed(patient, timeframe, asked, int(patient.now))
        yield _missing(patient, topic, "none on disk", [needed], asked, frame)
        return
    last = int(frame["date"].iloc[-1].timestamp()) + step
    span = _needed(patient, timeframe, asked, last)
    quality = quality_of(frame, step)
    told = f"{_day(frame['date'].iloc[0].timestamp())} to {_day(last)}{_wrong(quality, patient)}"
    # The last candle of another timeframe closes where the span ends, or before.
    reach = (span[0], span[1] // step * step)
    holes = lacking(frame, timeframe, TimeRange("date", "date", *reach))
    outer = [hole for hole in holes if hole[0] <= reach[0] or hole[1] >= reach[1]]
    if outer:
        yield _missing(patient, topic, told, outer, asked, frame)
    elif quality.unknown or quality.not_positive or quality.crossed:
        n = quality.unknown + quality.not_positive + quality.crossed
        fix = f"{_download(patient, pair, timeframe, None)} --erase"
        yield Row(topic, State.FAIL, f"{told}; {n} with prices that are none", fix)
    elif quality.longest_gap > _LONG * 24:
        fix = _download(patient, pair, timeframe, span) + " --erase"
        yield Row(topic, State.WARN, told, f"no window goes over gaps; to fetch them: {fix}")
    else:
        yield passed(topic, told)


def _needed(patient: Patient, timeframe: str, asked: _Asked, last: int) -> Span:
    """Say from where to where candles are needed: seconds since 1970 UTC."""
    days = patient.freqai.get("train_period_days", 0)
    stop = min(asked.stop or last, int(patient.now))
    start = asked.start if asked.start is not None else last
    startup = patient.startup_candles * timeframe_to_seconds(timeframe)
    return int(start - days * _DAY - startup), stop


def _missing(
    patient: Patient, topic: str, told: str, spans: list[Span], asked: _Asked, frame: DataFrame
) -> Row:
    pair, _, timeframe = topic.rpartition(" ")
    words = ", ".join(f"{_day(a)} to {_day(b)}" for a, b in spans)
    days = sum(b - a for a, b in spans) / _DAY
    first = None if frame.empty else frame["date"].iloc[0].timestamp()
    fixes = []
    for a, b in spans:
        is_before = first is not None and a < first
        fixes.append(_download(patient, pair, timeframe, (a, b), is_before=is_before))
    # A bot fetches what it lacks itself, a backtest does not.
    state = State.WARN if asked.start is None else State.FAIL
    return Row(topic, state, f"{told}; {days:.1f} days missing: {words}", " && ".join(fixes))


def _wrong(quality: Quality, patient: Patient) -> str:
    told = []
    if quality.gaps:
        told.append(f"{quality.gaps} gaps of {quality.missing} candles")
    most = patient.own.get("max_untraded_candles", Settings().max_untraded)
    if quality.longest_untraded > most:
        told.append(
            f"{quality.longest_untraded} candles in a row without volume, which count as a gap"
        )
    return "".join(f", {each}" for each in told)


def _download(
    patient: Patient, pair: str, timeframe: str, span: Span | None, *, is_before: bool = False
) -> str:
    """Name the command, with the options that say where and from which market."""
    words = ["freqtrade", "download-data", "-p", pair, "-t", timeframe]
    if span is not None:
        words += ["--timerange", f"{_compact(span[0])}-{_compact(span[1] + _DAY - 1)}"]
    if is_before:
        words.append("--prepend")
    return shlex.join([*words, *_place(patient)])


def _place(patient: Patient) -> list[str]:
    given = patient.arguments
    words = [w for path in given["config"] for w in ("-c", path)]
    if words == ["-c", "user_data/config.json"]:
        words = []  # freqtrade's own default
    for option, name in (("--userdir", "user_data_dir"), ("-d", "datadir")):
        if given.get(name):
            words += [option, str(given[name])]
    return words


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def _compact(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%d}"
