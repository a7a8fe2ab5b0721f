import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from agent import examples_tables as examples
from agent.examples_tables import BEGIN, END, HORIZON, PAIRS, STEP, candles_of

from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, Barriers
from dualwindow_agent.market.tables import Span, read_tapes
from dualwindow_agent.market.walk_table import TableError

BTC, ETH = PAIRS


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return examples.walk_forward(tmp_path_factory.mktemp("walks") / "walk")


@pytest.fixture(scope="module")
def candles() -> dict[str, Candles]:
    return {pair: candles_of(pair) for pair in PAIRS}


@pytest.fixture
def walk(made, tmp_path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(made, tmp_path / "walk"))


def test_tapes_hold_the_table_beside_the_candles(made, candles):
    told = read_tapes(made, candles)
    assert (told.barriers, told.horizon) == (Barriers(0.01, 0.005, 0.01, 0.005), HORIZON)
    table = pd.read_parquet(made / "predictions.parquet")
    for pair, tape in zip(PAIRS, told.tapes, strict=True):
        rows = table[table["pair"] == pair]
        acted_on = slice(tape.first, None)
        assert len(tape) - tape.first == len(rows) == (END - BEGIN) // STEP
        assert tape.candles.date[tape.first] == BEGIN
        np.testing.assert_array_equal(tape.probabilities[acted_on], rows[list(CLASSES)])
        assert tape.first == 1440
        assert np.isnan(tape.probabilities[: tape.first]).all()
        assert not tape.valid[: tape.first].any()
        own = candles[pair]
        row = int(np.searchsorted(own.date, BEGIN))
        assert own.open is not None
        np.testing.assert_array_equal(tape.opens[acted_on][:9], own.open[row : row + 9])


def test_the_trainers_folder_is_one_deeper(made, candles, tmp_path):
    shutil.copytree(made, tmp_path / "walk_forward")
    told = read_tapes(tmp_path, candles)
    assert len(told.tapes) == 2


def test_a_span_is_cut_out_and_what_lies_before_is_looked_back_on(made, candles):
    start = BEGIN + 3 * 86400
    tape = read_tapes(made, candles, span=Span(start, start + 86400)).tapes[0]
    assert tape.candles.date[tape.first] == start
    assert tape.candles.date[-1] == start + 86400 - STEP
    assert tape.first == 1440 + 3 * 288


@pytest.mark.parametrize(
    "span", [Span(start=BEGIN - STEP), Span(stop=END + STEP), Span(start=END, stop=END + STEP)]
)
def test_a_period_without_predictions_is_refused(span, made, candles):
    with pytest.raises(TableError, match="no out-of-sample table for the whole period: it reach"):
        read_tapes(made, candles, span=span)


def test_no_table_and_an_unfinished_walk_forward_are_refused(walk, candles, tmp_path):
    with pytest.raises(TableError, match=r"there is no out-of-sample table .* make one"):
        read_tapes(tmp_path / "nowhere", candles)
    (walk / "predictions.parquet").unlink()
    with pytest.raises(TableError, match="has not come to its end; run it again"):
        read_tapes(walk, candles)


def test_a_model_that_had_seen_what_it_predicts_is_refused(walk, candles):
    """The leak that is planted: the second fold's model knew the first candle of its window."""
    first = pd.Timestamp(BEGIN + 2 * 86400, unit="s").strftime("%Y-%m-%dT%H:%MZ")
    examples.rewrite_records(walk, ETH, 1, learnt_from=[])
    examples.rewrite_records(walk, BTC, 1, last_candle=first, learnt_from=[])
    with pytest.raises(TableError, match=r"BTC/USDT:USDT at .* had seen what it predicts \(1 such"):
        read_tapes(walk, candles)


def test_the_last_candle_before_the_window_is_no_leak(walk, candles):
    last = pd.Timestamp(BEGIN + 2 * 86400 - STEP, unit="s").strftime("%Y-%m-%dT%H:%MZ")
    examples.rewrite_records(walk, BTC, 1, last_candle=last)
    assert len(read_tapes(walk, candles).tapes) == 2


def test_what_a_shared_model_saw_of_one_pair_it_has_seen(walk, candles):
    """Only the record of ETH tells of the leak, yet BTC has the same model."""
    late = pd.Timestamp(BEGIN + 2 * 86400, unit="s").strftime("%Y-%m-%dT%H:%MZ")
    examples.rewrite_records(walk, ETH, 1, last_candle=late)
    with pytest.raises(TableError, match=r"\(2 such rows\)"):
        read_tapes(walk, candles)


def test_rows_of_an_unknown_model_are_refused(walk, candles):
    next((walk / "folds").glob("ETH*.json")).unlink()
    with pytest.raises(TableError, match="ETH/USDT:USDT: no record in folds/ tells which model"):
        read_tapes(walk, candles)


def test_records_of_folds_that_are_not_in_the_table_do_not_matter(walk, candles):
    examples.rewrite_table(walk, lambda table: table[table["fold"] != 3])
    examples.rewrite_records(walk, BTC, 3, last_candle="2030-01-01T00:00Z")
    tape = read_tapes(walk, candles).tapes[0]
    assert tape.candles.date[-1] == END - 2 * 86400 - STEP


def test_folds_of_other_labels_are_refused(walk, candles):
    examples.rewrite_records(walk, ETH, 2, settings__labels__long_take_profit=0.02)
    with pytest.raises(TableError, match=r"barriers 0.02 / 0.005 \(long\)"):
        read_tapes(walk, candles)


def test_labels_must_be_those_that_are_asked_for(made, candles):
    same = (Barriers(0.01, 0.005, 0.01, 0.005), HORIZON)
    assert len(read_tapes(made, candles, labels=same).tapes) == 2
    for other in ((same[0], 25), (Barriers(0.01, 0.005, 0.01, 0.006), HORIZON)):
        with pytest.raises(TableError, match="the table is of barriers"):
            read_tapes(made, candles, labels=other)


def test_a_hole_and_a_row_twice_are_refused(walk, candles):
    def without_noon(table: pd.DataFrame) -> pd.DataFrame:
        noon = pd.Timestamp(BEGIN + 43200, unit="s", tz="UTC")
        return table[(table["date"] != noon) | (table["pair"] != ETH)]

    examples.rewrite_table(walk, without_noon)
    with pytest.raises(TableError, match=r"ETH/USDT:USDT: 2022-02-10T11:55:00 UTC is followed by"):
        read_tapes(walk, candles)
    examples.rewrite_table(walk, lambda table: pd.concat([table, table[:1]]))
    with pytest.raises(TableError, match=r"BTC.*tells twice"):
        read_tapes(walk, candles)


def test_probabilities_that_are_none_are_refused_where_they_count_as_valid(walk, candles):
    examples.rewrite_table(walk, lambda table: table.assign(LONG=table["LONG"] + 0.1))
    with pytest.raises(TableError, match="do not add up to 1"):
        read_tapes(walk, candles)


def test_missing_and_other_candles_are_refused(made, candles):
    own = candles[BTC]
    with pytest.raises(TableError, match="288 candles of the table are missing"):
        read_tapes(made, {BTC: own[own.date < END - 86400]})
    assert own.open is not None
    other = examples.shifted(examples.frame_of(BTC))
    with pytest.raises(TableError, match="other candles than those of the table"):
        read_tapes(made, {BTC: other})


def test_a_pair_that_is_not_in_the_table_is_refused(made, candles):
    with pytest.raises(TableError, match="tells nothing of SOL/USDT, only of BTC"):
        read_tapes(made, {"SOL/USDT": candles[BTC]})


def test_damaged_files_are_named(walk, candles):
    record = next((walk / "folds").glob("BTC*.json"))
    record.write_text("{")
    with pytest.raises(TableError, match=f"{record.name} is damaged"):
        read_tapes(walk, candles)
    (walk / "predictions.parquet").write_bytes(b"PAR1")
    with pytest.raises(TableError, match=r"predictions\.parquet is damaged"):
        read_tapes(walk, candles)


def test_further_tables_bring_the_probabilities_of_other_horizons(made, candles, tmp_path):
    other = examples.walk_forward(
        tmp_path / "other", settings=examples.settings_of(12, pooling="whitelist")
    )
    tape = read_tapes(made, candles, further=[other]).tapes[1]
    rows = pd.read_parquet(other / "predictions.parquet")
    own = rows[rows["pair"] == ETH][list(CLASSES)].to_numpy()
    np.testing.assert_array_equal(tape.further[0][tape.first :], own)
    assert tape.valid[tape.first :].all()
    odd = pd.Timestamp(BEGIN + 5 * STEP, unit="s", tz="UTC")

    def without_one(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(valid=table["valid"] & (table["date"] != odd))

    examples.rewrite_table(other, without_one)
    tape = read_tapes(made, candles, further=[other]).tapes[1]
    # Seen as a number it would be a sure thing: nothing may be entered there.
    assert np.flatnonzero(~tape.valid[tape.first :]).tolist() == [5]
    with pytest.raises(TableError, match="horizon 24 is that of"):
        read_tapes(made, candles, further=[made])
    with pytest.raises(TableError, match="can be 2 tables"):
        read_tapes(made, candles, further=[other] * 3)
    examples.rewrite_table(other, lambda table: table[table["fold"] != 3])
    with pytest.raises(TableError, match="does not reach over the first one"):
        read_tapes(made, candles, further=[other])
