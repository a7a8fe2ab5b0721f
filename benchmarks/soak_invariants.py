"""Tell what must hold whatever happens to a bot, and does not, from what a run has left.

The witness is what the bot's strategy has written, line by line: `start` of a life (a process, or
the bot that a reload has made), `loop` of a round, `row` of a pair's newest candle with what was
predicted for it, and `entry` of a trade. Its order is that in which things happened.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd

from dualwindow.market.labels import CLASSES
from dualwindow_freqtrade.freqai.names import (
    ALL_TRAININGS,
    DATE_OF_PREDICTION,
    DO_PREDICT,
    FEATURE_PIPELINE,
    LABEL_PIPELINE,
    METADATA_FILE,
    MODEL_FILE,
    PAIR_DICTIONARY,
    TRAINED_DATES,
    TRAINED_ROWS,
)

Line = Mapping[str, Any]
CANDLE = 60
MOST_MEMORY = 1500.0  # MiB of a bot with a small network and three pairs
_PARTS = (
    MODEL_FILE,
    METADATA_FILE,
    FEATURE_PIPELINE,
    LABEL_PIPELINE,
    TRAINED_ROWS,
    TRAINED_DATES,
)


def lives(witness: Iterable[Line]) -> list[list[Line]]:
    """Split what was written at each start."""
    found: list[list[Line]] = []
    for line in witness:
        if line["what"] == "start":
            found.append([])
        found[-1].append(line)
    return found


def _made(life: Iterable[Line]) -> Iterator[Line]:
    return (line for line in life if line["what"] == "row" and _is_prediction(line))


def _is_prediction(row: Line) -> bool:
    total = sum(row["probabilities"])
    return row["do_predict"] == 1 and math.isclose(total, 1, abs_tol=1e-3)


def _text(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%H:%M:%S}"


def entries_on_predictions(witness: Sequence[Line], trades: pd.DataFrame) -> list[str]:
    """Find trades that were opened on anything but a fresh prediction that wants them.

    Parameters
    ----------
    witness : of the whole run
    trades : freqtrade's, with `pair` and `open_date`, UTC
    """
    found, entries = [], []
    for life in lives(witness):
        newest: dict[str, Line] = {}
        for line in life:
            if line["what"] == "row":
                newest[line["pair"]] = line
            elif line["what"] == "entry":
                entries.append(line)
                found += _problem_of_entry(line, newest.get(line["pair"]))
    for trade in trades.itertuples():
        opened = pd.Timestamp(trade.open_date, tz="UTC").timestamp()
        # The exchange may be silent, and the clock jump, between the decision and the order.
        near = (e for e in entries if abs(e["at"] - opened) < 5 * CANDLE)
        entry = next((e for e in near if e["pair"] == trade.pair), None)
        if entry is None:
            found.append(f"{trade.pair}: no entry was seen of the trade of {_text(opened)}")
        else:
            entries.remove(entry)
    return found


def _problem_of_entry(entry: Line, row: Line | None) -> list[str]:
    where = f"{entry['pair']}: entered at {_text(entry['at'])}"
    if row is None:
        return [f"{where} before any candle was seen"]
    if not _is_prediction(row) or not row["enters"]:
        return [f"{where} on the candle of {_text(row['candle'])}, do_predict {row['do_predict']}"]
    age = entry["at"] - row["candle"] - CANDLE
    if not -CANDLE <= age <= 2 * CANDLE:
        return [f"{where} on a prediction that was {age:.0f} s old"]
    return []


def predicted_once(witness: Iterable[Line]) -> list[str]:
    """Find candles that were predicted twice in a life, or otherwise after a start."""
    found: list[str] = []
    before: dict[tuple[str, int], Line] = {}
    for life in lives(witness):
        now: dict[tuple[str, int], Line] = {}
        for row in _made(life):
            key = (row["pair"], row["candle"])
            where = f"{key[0]}: the candle of {_text(key[1])}"
            if key in now:
                found.append(f"{where} was predicted twice")
            elif key in before and not _is_same(before[key], row["probabilities"]):
                found.append(f"{where} was predicted otherwise after a start")
            now[key] = row
        before |= now
    return found


def stored_as_shown(witness: Iterable[Line], stored: Mapping[str, pd.DataFrame]) -> list[str]:
    """Find predictions that are stored twice, in disorder, or otherwise than they were made.

    Parameters
    ----------
    witness : of the whole run
    stored : FreqAI's predictions by pair, as they lie on disk
    """
    found: list[str] = []
    made = {(row["pair"], row["candle"]): row for life in lives(witness) for row in _made(life)}
    for pair, frame in stored.items():
        dates = frame[DATE_OF_PREDICTION]
        if not (dates.diff().dropna() > pd.Timedelta(0)).all():
            found.append(f"{pair}: the stored predictions are not in the order of time")
        for row in frame[frame[DO_PREDICT] == 1].to_dict("records"):
            candle = int(row[DATE_OF_PREDICTION].timestamp())
            if not _is_same(made.get((pair, candle)), [row[name] for name in CLASSES]):
                found.append(f"{pair}: what is stored of {_text(candle)} was never shown")
    return found


def _is_same(row: Line | None, probabilities: Sequence[float]) -> bool:
    return row is not None and np.allclose(row["probabilities"], probabilities, atol=1e-6)


def kept_at_the_end(life: Iterable[Line], stored: Mapping[str, pd.DataFrame]) -> list[str]:
    """Find predictions of the last life, which was stopped in peace, that are not stored."""
    found = []
    for row in _made(life):
        frame = stored.get(row["pair"])
        date = pd.Timestamp(row["candle"], unit="s", tz="UTC")
        made = frame is not None and (
            (frame[DATE_OF_PREDICTION] == date) & (frame[DO_PREDICT] == 1)
        )
        if made is False or not made.any():
            found.append(f"{row['pair']}: the prediction of {_text(row['candle'])} is not stored")
    return found


def predicted_in_calm(witness: Iterable[Line], expected: Iterable[tuple[str, int]]) -> list[str]:
    """Find candles of quiet times that were not predicted.

    Parameters
    ----------
    witness : of the whole run
    expected : pairs, and the openings of their candles, seconds since 1970 UTC, that nothing
        keeps from being predicted
    """
    made = {(row["pair"], row["candle"]) for life in lives(witness) for row in _made(life)}
    return [
        f"{pair}: the candle of {_text(candle)} was not predicted in a quiet time"
        for pair, candle in expected
        if (pair, candle) not in made
    ]


def made_of_unfinished(witness: Sequence[Line], errors: Sequence[tuple[int, float]]) -> int:
    """Count the predictions of candles that were still forming on the exchange.

    freqtrade takes the newest candle for closed if the bot's clock says so.

    Parameters
    ----------
    witness : of the whole run
    errors : lines of the witness from which on the bot's clock was how many seconds ahead
    """
    found = 0
    for i, line in enumerate(witness):
        error = next((seconds for n, seconds in reversed(errors) if n <= i), 0.0)
        if line["what"] == "row" and _is_prediction(line):
            found += line["at"] - error < line["candle"] + CANDLE
    return found


def status_is_true(status: Mapping[str, Any], life: Sequence[Line], candle: int) -> list[str]:
    """Compare what the bot says of itself with what it has done in this life.

    Parameters
    ----------
    status : at the end of a round
    life : until then
    candle : opening of the newest that has closed, seconds since 1970 UTC
    """
    found = []
    for pair in sorted({line["pair"] for line in life if line["what"] == "row"}):
        rows = [line for line in life if line["what"] == "row" and line["pair"] == pair]
        told = status["pairs"].get(pair)
        if told is None:
            found.append(f"{pair}: is not in the status")
            continue
        found += [f"{pair}: {text}" for text in _lies(told, rows, candle)]
    return found


def _lies(told: Mapping[str, Any], rows: Sequence[Line], candle: int) -> list[str]:
    found = []
    made = [_is_prediction(row) for row in rows]
    if told["predictions"] != sum(made):
        found.append(f"{told['predictions']} predictions are told of, {sum(made)} were made")
    if not any(made):
        return found
    # What came before the first prediction was without a model, or shown to nobody.
    least = sum(not m for m in made[made.index(True) :])
    if not least <= told["candles_without_prediction"] <= len(made) - sum(made):
        found.append(
            f"{told['candles_without_prediction']} candles without a prediction are told of, "
            f"there were {least}"
        )
    if made[-1] and told["keeps_out"] and rows[-1]["candle"] >= candle:
        found.append(f"{list(told['keeps_out'])} keeps out, yet the newest candle was predicted")
    if made[-1]:
        closed = datetime.fromisoformat(told["last_candle_closed"]).timestamp()
        if closed != rows[-1]["candle"] + CANDLE:
            found.append(f"the newest candle is that of {_text(rows[-1]['candle'])}")
    return found


def status_tells_of_silence(status: Mapping[str, Any], life: Sequence[Line]) -> list[str]:
    """Find pairs of the whitelist without candles for more than two, and no word of it.

    The bot looks at the beginning of each round, so the last round is what counts.
    """
    looks = [line for line in life if line["what"] == "loop"]
    newest = {line["pair"]: line["candle"] for line in life if line["what"] == "row"}
    return [
        f"{pair}: no candle since that of {_text(candle)}, but no trouble is told of"
        for pair, candle in newest.items()
        if pair in looks[-1]["pairs"]
        and looks[-1]["at"] - candle - CANDLE > 2 * CANDLE
        and (told := status["pairs"].get(pair)) is not None
        and told["last_candle_closed"] is not None
        and not told["keeps_out"]
    ]


def models_whole(folder: Path) -> list[str]:
    """Find models that are not whole, and an index that points to none.

    Parameters
    ----------
    folder : of the identifier
    """
    found = []
    index = json.loads((folder / PAIR_DICTIONARY).read_text())
    folders = set(folder.glob(ALL_TRAININGS))
    for pair, newest in index.items():
        if newest["model_filename"] and Path(newest["data_path"]) not in folders:
            found.append(f"{pair}: the index points to a model that is not there")
    for models in sorted(folders):
        if models.suffix == ".tmp" or not any(models.glob(f"*{MODEL_FILE}")):
            continue  # being written when the bot was stopped; removed at the next start
        found += [f"{models.name}: {text}" for text in _broken_parts(models)]
    return found


def _broken_parts(models: Path) -> Iterable[str]:
    for part in _PARTS:
        paths = list(models.glob(f"*{part}"))
        if len(paths) != 1:
            yield f"{len(paths)} files *{part}"
            continue
        try:
            content = paths[0].read_bytes()
            json.loads(content) if part == METADATA_FILE else cloudpickle.loads(content)
        except Exception as error:  # damaged pickles raise whatever they like
            yield f"{paths[0].name} cannot be read: {error}"


def memory_bound(readings: Sequence[float]) -> list[str]:
    """Tell if the bot held more than it may."""
    most = max(readings, default=0)
    return [f"{most:.0f} MiB were held"] if most > MOST_MEMORY else []
