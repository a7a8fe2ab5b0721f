"""The synthetic market: its laws, its reproducibility, and the files it is written to."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dualwindow.market.candles import Candles
from dualwindow.market.labels import LONG, SHORT, Barriers, Labelling, exclusive
from dualwindow_sandbox import MarketKind, SandboxError
from dualwindow_sandbox.candle_files import write_candles
from dualwindow_sandbox.dynamics import PLANTED
from dualwindow_sandbox.listings import COINS
from dualwindow_sandbox.market import FIRST, SyntheticMarket
from dualwindow_sandbox.ohlcv import DAY, HOUR, MINUTE, Ohlcv, joined
from dualwindow_sandbox.recorded import RecordedMarket, recorded_venues
from dualwindow_sandbox.venues import INTERVALS, Window, candles_until

END = 1_706_745_600_000  # 2024-02-01
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "binance"
KINDS = list(MarketKind)
PAIRS = ["BTC/USDT", "ETH/USDT", "DOGE/USDT", "XRP/USDT"]


def columns(candles):
    return [getattr(candles, name) for name in Ohlcv.__dataclass_fields__]


def same(left, right):
    assert len(left) == len(right) > 0
    return all(np.array_equal(a, b) for a, b in zip(columns(left), columns(right), strict=True))


def market(kind=MarketKind.PLANTED, seed=1):
    return SyntheticMarket(kind, seed)


# --- reproducibility


def test_another_process_makes_the_same_candles():
    code = (
        "from dualwindow_sandbox.market import *; from dualwindow_sandbox import MarketKind;"
        f"c = SyntheticMarket(MarketKind.PLANTED, 1).minutes('DOGE/USDT', {END - DAY}, {END});"
        "print(c.close.tobytes().hex() + c.volume.tobytes().hex())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    here = market().minutes("DOGE/USDT", END - DAY, END)
    assert other.stdout.strip() == here.close.tobytes().hex() + here.volume.tobytes().hex()


@pytest.mark.parametrize("kind", KINDS)
def test_a_candle_does_not_depend_on_the_span_it_is_asked_with(kind):
    whole = market(kind).minutes("BTC/USDT", END - 20 * DAY, END)
    backwards = market(kind)
    days = [backwards.minutes("BTC/USDT", END - (n + 1) * DAY, END - n * DAY) for n in range(20)][
        ::-1
    ]
    assert same(whole, joined(days))
    assert np.array_equal(np.diff(whole.time), np.full(20 * 1440 - 1, MINUTE))


def test_a_candle_does_not_depend_on_what_was_asked_before():
    asked = market()
    for weeks in (12, 0, 5, 3):  # more than are kept: the first ones are made twice
        start = FIRST + weeks * 7 * DAY
        asked.minutes("BTC/USDT", start, start + 8 * 7 * DAY)
    span = ("BTC/USDT", END - DAY, END)
    assert same(asked.minutes(*span), market().minutes(*span))


def test_seeds_pairs_and_markets_differ():
    span = ("BTC/USDT", END - DAY, END)
    moves = [
        np.diff(np.log(candles.close))
        for candles in (
            market().minutes(*span),
            market(seed=2).minutes(*span),
            market().minutes("ETH/USDT", *span[1:]),
        )
    ]
    assert np.abs(np.corrcoef(moves) - np.eye(3)).max() < 0.1
    assert not same(market().minutes(*span), market(MarketKind.RANDOM_WALK).minutes(*span))


# --- candles


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pair", PAIRS)
def test_candles_are_consistent(kind, pair):
    made = market(kind)
    candles = made.minutes(pair, END - 30 * DAY, END)
    assert len(candles) == 30 * 1440
    assert (candles.low <= np.minimum(candles.open, candles.close)).all()
    assert (candles.high >= np.maximum(candles.open, candles.close)).all()
    assert np.array_equal(candles.open[1:], candles.close[:-1])
    assert (candles.volume > 0).all()
    listing = next(item for item in made.listings if item.pair == pair)
    for prices in (candles.open, candles.high, candles.low, candles.close):
        assert np.array_equal(np.round(prices, listing.price_decimals), prices)
    assert 10.0**-listing.price_decimals < 1e-4 * candles.low.min()
    wicks = (candles.high - candles.low) / np.abs(candles.close - candles.open).clip(1e-12)
    assert np.median(wicks) > 1.5  # highs and lows come from inside the minute


def test_every_coin_starts_at_its_price_and_is_listed_once():
    made = market()
    opens = {item.base: made.minutes(item.pair, FIRST, FIRST + MINUTE) for item in made.listings}
    assert len(opens) == len(made.listings) == len(COINS) >= 20
    for base, candles in opens.items():
        assert candles.open[0] == COINS[base][0]


def test_nothing_is_known_before_the_beginning():
    assert len(market().minutes("BTC/USDT", FIRST - DAY, FIRST)) == 0
    assert market().minutes("BTC/USDT", FIRST - DAY, FIRST + MINUTE).time.tolist() == [FIRST]


def test_resampling_table():
    index = np.arange(1.0, 8.0)  # minutes 4 .. 10: a quarter of a candle, a whole one, a half
    minutes = Ohlcv(
        MINUTE * np.arange(4, 11), index, index + 10, index - 10, index + 0.5, 2.0**index
    )
    five = minutes.resampled(5 * MINUTE)
    assert five.time.tolist() == [0, 5 * MINUTE, 10 * MINUTE]
    assert five.open.tolist() == [1, 2, 7]
    assert five.high.tolist() == [11, 16, 17]
    assert five.low.tolist() == [-9, -8, -3]
    assert five.close.tolist() == [1.5, 6.5, 7.5]
    assert five.volume.tolist() == [2, 124, 128]
    gap = minutes[np.array([True, False, False, False, False, False, True])]
    assert gap.resampled(5 * MINUTE).time.tolist() == [0, 10 * MINUTE]


# --- what is known at a moment


@pytest.mark.parametrize("interval", list(INTERVALS))
def test_every_interval_agrees_with_the_minutes(interval):
    made, length = market(), INTERVALS[interval]
    now = END + 7 * HOUR + 13 * MINUTE + 17_000
    window = Window(length, END - 2 * DAY, now)
    candles = candles_until(made, "BTC/USDT", window, now)
    minutes = joined(
        [
            made.minutes("BTC/USDT", END - 2 * DAY, now - now % MINUTE),
            made.forming("BTC/USDT", now),
        ]
    )
    for ours, theirs in zip(columns(candles), columns(minutes.resampled(length)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)  # volumes are added in another order
    assert candles.time[-1] == now // length * length


def test_the_forming_candle_grows_into_the_closed_one():
    made = market()
    closed = made.minutes("BTC/USDT", END, END + MINUTE)
    states = [made.forming("BTC/USDT", END + second * 1000) for second in range(60)]
    highs, lows, volumes, closes = (
        np.concatenate([getattr(state, name) for state in states])
        for name in ("high", "low", "volume", "close")
    )
    assert {float(state.open[0]) for state in states} == {float(closed.open[0])}
    assert (np.diff(highs) >= 0).all()
    assert highs[-1] <= closed.high[0]
    assert (np.diff(lows) <= 0).all()
    assert lows[-1] >= closed.low[0]
    assert (np.diff(volumes) >= 0).all()
    assert 0 < volumes[0] < volumes[-1] < closed.volume[0]
    assert len(set(closes)) > 5


def test_nothing_after_now_shows():
    made, now = market(), END + 30_000
    window = Window(HOUR, END - DAY, END + DAY)
    at_once = candles_until(made, "BTC/USDT", window, now)
    assert at_once.time[-1] == END
    assert same(at_once, candles_until(made, "BTC/USDT", Window(HOUR, END - DAY, now), now))
    assert len(candles_until(made, "BTC/USDT", Window(HOUR, END + HOUR, END + DAY), now)) == 0
    on_the_minute = candles_until(made, "BTC/USDT", Window(MINUTE, END - HOUR, END), END)
    assert on_the_minute.time[-1] == END - MINUTE


# --- the laws of the two markets


def labels_and_last_return(candles):
    bars = Candles(
        candles.time // 1000, candles.high, candles.low, candles.close, candles.volume, 60
    )
    labelling = Labelling(exclusive, Barriers(0.01, 0.005, 0.01, 0.005), 120, len(bars))
    label = labelling.label(bars)[120:-120]
    past = np.log(candles.close[120:-120] / candles.close[:-240])
    assert len(label) == len(past) == len(candles) - 240
    return label, past


def auc(positive, score):
    rank = np.empty(len(score))
    rank[np.argsort(score, kind="stable")] = np.arange(1, len(score) + 1)
    n = positive.sum()
    return (rank[positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n))


def scores(kind):
    for seed in (1, 2):
        made = market(kind, seed)
        for pair in PAIRS:
            label, past = labels_and_last_return(made.minutes(pair, END - 120 * DAY, END))
            yield (
                auc(label == LONG, past),
                auc(label == SHORT, -past),
                (label == LONG).mean(),
                (label == SHORT).mean(),
            )


def test_the_planted_market_can_be_learned_from_the_last_two_hours():
    found = np.array(list(scores(MarketKind.PLANTED)))
    assert found.shape == (8, 4)
    assert found[:, :2].min() > 0.75
    assert ((found[:, 2:] > 0.1) & (found[:, 2:] < 0.25)).all()


def test_the_random_walk_cannot():
    found = np.array(list(scores(MarketKind.RANDOM_WALK)))
    assert found.shape == (8, 4)
    # 1440 independent two-hour windows a pair, about 60 of them positive: 0.04 each, 0.015 in all
    assert np.abs(found[:, :2].mean(axis=0) - 0.5).max() < 0.05


def test_the_hidden_regime_is_the_drift_in_force():
    made = market()
    start = END - 120 * DAY
    candles = made.minutes("BTC/USDT", start, END)
    regime, volatility = made.hidden("BTC/USDT", start, END)
    move = np.log(candles.close / candles.open)
    for state in (-1, 0, 1):
        at = regime == state
        error = move[at].std() / np.sqrt(at.sum())
        assert at.mean() > 0.2
        assert abs(move[at].mean() - state * PLANTED.drift) < 4 * error
    surprise = (move - regime * PLANTED.drift) / volatility
    assert surprise.std() == pytest.approx(1, abs=0.01)
    assert candles.volume[regime != 0].mean() > 1.3 * candles.volume[regime == 0].mean()
    later, _ = made.hidden("BTC/USDT", start + HOUR, END)
    assert np.array_equal(later, regime[60:])


def test_the_random_walk_has_no_regime_and_the_same_clusters():
    walk, planted = market(MarketKind.RANDOM_WALK), market()
    regime, volatility = walk.hidden("BTC/USDT", END - 30 * DAY, END)
    assert not regime.any()
    assert np.array_equal(volatility, planted.hidden("BTC/USDT", END - 30 * DAY, END)[1])
    assert np.corrcoef(volatility[:-60], volatility[60:])[0, 1] > 0.6
    assert np.log(volatility).std() == pytest.approx(0.3, rel=0.2)


@pytest.mark.parametrize("pair", PAIRS)
def test_the_planted_price_stays_near_where_it_began(pair):
    years = market().hours(pair, FIRST, END)
    assert len(years) == (END - FIRST) // HOUR
    start = COINS[pair.split("/")[0]][0]
    assert 0.25 < years.low.min() / start < years.high.max() / start < 4


# --- files


def test_files_have_freqtrades_layout(tmp_path):
    if not RECORDED.is_dir():
        pytest.skip(f"no recorded candles in {RECORDED}")
    written = write_candles(tmp_path, market(), PAIRS[:2], END - DAY, END)
    names = sorted(str(path.relative_to(tmp_path)) for path in written)
    assert names == sorted(str(p.relative_to(RECORDED)) for p in RECORDED.rglob("*.feather"))
    for name in names:
        made = pd.read_feather(tmp_path / name).dtypes.to_dict()
        recorded = pd.read_feather(RECORDED / name).dtypes.to_dict()
        if "funding" in name:  # recorded in the six columns of older versions
            recorded = {"date": recorded["date"], "funding_rate": recorded["open"]}
        assert list(made.items()) == list(recorded.items())


def test_files_agree_with_the_market_and_can_be_replayed(tmp_path):
    made = market()
    files = write_candles(tmp_path, made, ["ETH/USDT"], END - 2 * DAY, END)
    assert len(files) == 6
    assert sorted(tmp_path.rglob("*.*")) == sorted(files)
    venues = recorded_venues(tmp_path)
    listed = [item for item in made.listings if item.base == "ETH"]
    for venue in (venues.spot, venues.futures):
        assert venue.listings == tuple(listed)
        assert same(venue.minutes("ETH/USDT", 0, END), made.minutes("ETH/USDT", END - 2 * DAY, END))
    assert same(venues.mark.hours("ETH/USDT", 0, END), made.hours("ETH/USDT", END - 2 * DAY, END))
    time, rate = venues.futures.funding("ETH/USDT", END - DAY, END)
    assert time.tolist() == [END - DAY, END - DAY + 8 * HOUR, END - DAY + 16 * HOUR]
    assert rate.tolist() == [1e-4] * 3
    assert venues.spot.span("ETH/USDT", END + DAY) == (END - 2 * DAY, END)
    assert len(venues.spot.forming("ETH/USDT", END + DAY)) == 0


def test_funding_of_older_files_is_read(tmp_path):
    write_candles(tmp_path, market(), ["ETH/USDT"], END - DAY, END)
    path = tmp_path / "futures" / "ETH_USDT_USDT-1h-funding_rate.feather"
    frame = pd.read_feather(path).rename(columns={"funding_rate": "open"})
    frame.assign(high=0.0, low=0.0, close=0.0, volume=0.0).to_feather(path)
    assert recorded_venues(tmp_path).futures.funding("ETH/USDT", 0, END)[1].tolist() == [1e-4] * 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "no 1m candles", id="no-files"),
        pytest.param(b"not arrow", "not a feather file", id="not-feather"),
    ],
)
def test_unusable_recordings_are_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "BTC_USDT-1m.feather").write_bytes(content)
    with pytest.raises(SandboxError, match=message):
        recorded_venues(tmp_path)


def test_recordings_without_volume_are_refused(tmp_path):
    frame = pd.DataFrame({"date": pd.DatetimeIndex(["2024-01-01"], tz="UTC"), "close": [1.0]})
    frame.to_feather(tmp_path / "BTC_USDT-1m.feather")
    with pytest.raises(SandboxError, match=r"BTC_USDT-1m.feather has 1 rows .*volume are needed"):
        recorded_venues(tmp_path)


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    before = write_candles(tmp_path, market(), ["BTC/USDT"], END - DAY, END)
    content = {path: path.read_bytes() for path in before}

    def full(frame, path, **options):
        if "mark" in path.name:
            raise OSError(28, "No space left on device")
        path.write_bytes(b"half")

    monkeypatch.setattr(pd.DataFrame, "to_feather", full)
    with pytest.raises(SandboxError, match=r"--out: cannot write .* No space left on device"):
        write_candles(tmp_path, market(seed=2), ["BTC/USDT"], END - DAY, END)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == content
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["futures"]


def test_an_unlisted_pair_is_refused(tmp_path):
    with pytest.raises(SandboxError, match=r"--pairs: XX/USDT not listed; choose from BTC/USDT"):
        write_candles(tmp_path / "new", market(), ["BTC/USDT", "XX/USDT"], END - DAY, END)
    assert not (tmp_path / "new").exists()


def test_a_recorded_gap_stays_a_gap():
    minutes = market().minutes("BTC/USDT", END - DAY, END)
    holed = minutes[np.arange(1440) % 10 < 7]
    recorded = RecordedMarket({"BTC": holed}, {})
    window = Window(MINUTE, END - DAY, END)
    assert same(candles_until(recorded, "BTC/USDT", window, END + DAY), holed)
    assert len(recorded.funding("BTC/USDT", 0, END)[0]) == 0
