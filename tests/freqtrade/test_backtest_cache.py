import json

import pandas as pd
import pytest

from dualwindow_freqtrade.backtest.cache import CacheError, CacheRecord
from dualwindow_freqtrade.freqai.fingerprint import digest_candles


def test_what_is_recorded_is_compared_in_the_next_run(tmp_path):
    CacheRecord(tmp_path).add("settings", {"a": {"b": 1}, "units": [4, 2]})
    again = CacheRecord(tmp_path)
    again.check("settings", {"a": {"b": 1}, "units": (4, 2)})
    with pytest.raises(CacheError, match=r"a\.b: 1 -> 2.*set another freqai.identifier"):
        again.check("settings", {"a": {"b": 2}, "units": [4, 2]})
    with pytest.raises(CacheError, match=r"units: \[4, 2\] -> \[4, 3\]"):
        again.check("settings", {"a": {"b": 1}, "units": [4, 3]})


def test_facts_that_are_new_or_gone_differ_too(tmp_path):
    CacheRecord(tmp_path).add("settings", {"a": 1, "b": 2})
    with pytest.raises(CacheError, match="c: not set -> 3"):
        CacheRecord(tmp_path).check("settings", {"a": 1, "b": 2, "c": 3})
    with pytest.raises(CacheError, match="b: 2 -> not set"):
        CacheRecord(tmp_path).check("settings", {"a": 1})


def test_recorded_facts_are_compared_and_new_ones_told(tmp_path):
    record = CacheRecord(tmp_path)
    record.add("candles", {"w1": "x"})
    assert record.check_recorded("candles", {"w1": "x"})
    assert not record.check_recorded("candles", {"w1": "x", "w2": "y"})
    with pytest.raises(CacheError, match="w1: x -> z"):
        record.check_recorded("candles", {"w1": "z", "w2": "y"})


def test_nothing_is_written_by_checking(tmp_path):
    CacheRecord(tmp_path).check("settings", {"a": 1})
    assert list(tmp_path.iterdir()) == []


def test_two_processes_add_to_the_same_record(tmp_path):
    bot, backtest = CacheRecord(tmp_path), CacheRecord(tmp_path)
    bot.add("settings", {"a": 1})
    backtest.add("candles", {"w1": "x"})
    bot.add("settings", {"a": 1, "b": 2})
    assert json.loads((tmp_path / "dualwindow_cache.json").read_text()) == {
        "candles": {"w1": "x"},
        "settings": {"a": 1, "b": 2},
    }


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "dualwindow_cache.json").write_text('{"settings": {')
    with pytest.raises(CacheError, match=r"dualwindow_cache\.json is damaged"):
        CacheRecord(tmp_path).check("settings", {})


def test_any_change_of_the_candles_changes_their_digest():
    frame = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=3, freq="1min", tz="UTC")})
    for column in ("open", "high", "low", "close", "volume"):
        frame[column] = [1.0, 2.0, 3.0]
    digests = {digest_candles([frame])}
    for column in ("open", "high", "low", "close", "volume"):
        digests.add(digest_candles([frame.assign(**{column: [1.0, 2.0, 3.1]})]))
    digests.add(digest_candles([frame.assign(date=frame["date"] + pd.Timedelta("1min"))]))
    assert len(digests) == 7
