"""Promote models of a real backtest, and begin with them in FreqAI's live path."""

import json
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from freqtrade.enums import CandleType

from dualwindow.market import files
from dualwindow_freqtrade.freqai.names import (
    ALL_TRAININGS,
    BACKTEST_FOLDER,
    BACKTEST_PREDICTION,
    DO_PREDICT,
    METADATA_FILE,
    MODEL_FILE,
    PAIR_DICTIONARY,
    TRAINED_AT,
)
from dualwindow_freqtrade.freqai.workbench import Workbench
from dualwindow_freqtrade.live.presence import BotRunsError, Presence
from dualwindow_freqtrade.promotion.candidates import PARTS, Candidate, all_or_none, candidates
from dualwindow_freqtrade.promotion.publishing import (
    PROMOTIONS,
    PromotionError,
    newest_live,
    publish,
    undo,
)
from harness.freqai_run import (
    PAIR,
    at,
    backtest,
    configuration,
    dry_run,
    live_configuration,
    market_until_now,
    train_now,
)

RANGES = {"kind": "ranges", "spans": [3, 10]}
HOUR = 3600
CLASSES = ["SHORT", "HOLD", "LONG"]


class Place:
    """A user data folder with candles that end now, a backtest of them, and bots."""

    def __init__(self, user_data: Path, frames: dict[str, pd.DataFrame]) -> None:
        self.user_data, self.frames = user_data, frames
        first = int(frames["1m"]["date"].iloc[0].timestamp())
        # A day to learn from, then three windows of a quarter of a day.
        self.timerange = f"{first + 24 * HOUR}-{first + 42 * HOUR}"
        self.newest = first + 36 * HOUR
        self.now = first + 47 * HOUR
        self.models = user_data / "models"
        self.live = self.models / "live"

    def backtest(self, **freqai) -> None:
        options = {"save_backtest_models": True, "model_training_parameters": RANGES}
        config = configuration(self.user_data, **(options | {"identifier": "bt"} | freqai))
        backtest(config | {"timerange": self.timerange}, self.frames)[0].freqai.shutdown()

    def bench(self, whitelist: tuple[str, ...] = (PAIR,), **freqai) -> Workbench:
        """Read the settings of the live bot, on the folder of the backtest."""
        options = {"model_training_parameters": RANGES, "identifier": "bt"}
        config = configuration(self.user_data, **(options | freqai))
        config |= {"candle_type_def": CandleType.FUTURES, "dataformat_ohlcv": "feather"}
        config["exchange"]["pair_whitelist"] = list(whitelist)
        del config["timerange"]
        return Workbench(config)

    def found(self, now: float | None = None, **freqai) -> Candidate:
        """Hold the only pair's newest model against the live settings."""
        (each,) = candidates(self.bench(**freqai), newest_live(self.live), now or self.now)
        return each

    def promote(self) -> Candidate:
        each = self.found()
        assert each.against == []
        publish([each], self.live, "bt", self.now)
        return each

    def bot(self, **freqai):
        options = {"model_training_parameters": RANGES, "identifier": "live"}
        config = live_configuration(self.user_data, **(options | freqai))
        return dry_run(config, frames=self.frames)[0]

    def index(self) -> dict:
        return json.loads((self.live / PAIR_DICTIONARY).read_text())


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Place:
    place = Place(tmp_path_factory.mktemp("made"), market_until_now())
    (place.user_data / "futures").mkdir()
    for timeframe, frame in place.frames.items():
        path = place.user_data / "futures" / f"BTC_USDT_USDT-{timeframe}-futures.feather"
        frame.to_feather(path)
    place.backtest()
    return place


@pytest.fixture
def place(made, tmp_path) -> Place:
    """One's own copy of what one backtest has left."""
    shutil.copytree(made.user_data, tmp_path / "own")
    return Place(tmp_path / "own", made.frames)


def test_a_bot_predicts_with_the_promoted_model_at_once(place, caplog):
    cached = max((place.models / "bt").rglob(f"*{BACKTEST_PREDICTION}"))
    each = place.promote()
    assert each.second == place.newest
    assert each.checked == int((pd.read_feather(cached)[DO_PREDICT] == 1).sum()) > 300
    with caplog.at_level("INFO"):
        bot = place.bot()
        seen = at(bot, place.frames["1m"], 2850).iloc[-1]
    assert f"goes on with the model in {place.live / each.folder.name}" in caplog.text
    assert seen[DO_PREDICT] == 1
    assert seen[TRAINED_AT] == place.newest
    # It is the model of the backtest: it says what that one says of the same candles.
    bench = place.bench()
    frame = bench.featured(PAIR, place.frames["1m"].head(2851))
    expected = bench.predicted(each.model, frame).probabilities[-1]
    np.testing.assert_allclose(seen[CLASSES].to_numpy(float), expected, atol=1e-5)
    # FreqAI's clock decides on the next training, which takes its place.
    train_now(bot)
    assert bot.freqai.dd.pair_dict[PAIR]["trained_timestamp"] > place.newest
    bot.freqai.shutdown()


def test_before_a_promotion_the_same_bot_has_no_model(place):
    bot = place.bot()
    assert at(bot, place.frames["1m"], 2850)[DO_PREDICT].iloc[-1] == 0
    bot.freqai.shutdown()


def test_the_files_of_the_backtest_are_left_as_they_were(place):
    def contents() -> dict[Path, bytes]:  # FreqAI notes in each run what it was given
        folders = [
            *(place.models / "bt").glob(ALL_TRAININGS),
            place.models / "bt" / BACKTEST_FOLDER,
        ]
        return {path: path.read_bytes() for folder in folders for path in folder.iterdir()}

    before = contents()
    place.promote()
    assert contents() == before
    assert len(before) > 20


@pytest.mark.parametrize(
    ("freqai", "told"),
    [
        pytest.param(
            {"model_training_parameters": RANGES | {"penalty": 7.0}},
            "model_training_parameters.penalty: 100.0 -> 7.0",
            id="settings",
        ),
        pytest.param({"train_period_days": 2}, "train_period_days: 1 -> 2", id="days"),
        pytest.param(
            {"dual_window": {"labels": {"rule": "first_touch"}, "balancing": {"floor": 50}}},
            "dual_window.labels.rule: exclusive -> first_touch",
            id="labels",
        ),
        pytest.param(
            {"expiration_hours": 3},
            "11 hours ago, and freqai.expiration_hours is 3: FreqAI would not ask it",
            id="expired",
        ),
        pytest.param(
            {"dual_window": {"pooling": "whitelist", "balancing": {"floor": 50}}},
            "dual_window.pooling: pair -> whitelist",
            id="pooling",
        ),
    ],
)
def test_what_the_live_settings_would_not_have_made_is_refused(place, freqai, told):
    assert told in "; ".join(place.found(**freqai).against)


def test_older_than_expires_is_refused_to_the_second(place):
    assert place.found(place.newest + 12 * HOUR, expiration_hours=12).against == []
    assert place.found(place.newest + 12 * HOUR + 1, expiration_hours=12).against != []
    assert "yet to come by this clock" in place.found(place.newest - 1).against[0]


def test_a_candle_that_is_another_on_disk_is_refused(place):
    path = place.user_data / "futures" / "BTC_USDT_USDT-1m-futures.feather"
    frame = pd.read_feather(path)
    row = 36 * 60 - 3  # three minutes before the training ended
    frame.loc[row, "close"] *= 1.001
    frame.to_feather(path)
    told = f"the candle of {frame['date'][row]:%Y-%m-%d %H:%M} UTC has another close on disk"
    assert told in place.found().against[0]
    frame.head(36 * 60 - 30).to_feather(path)
    assert "are not on disk" in place.found().against[0]


def test_a_model_that_predicts_something_else_is_refused(place):
    (path,) = (place.models / "bt").rglob(f"*{place.newest}{BACKTEST_PREDICTION}")
    cached = pd.read_feather(path)
    cached.loc[200, "LONG"] += 0.001
    cached.to_feather(path)
    (told,) = place.found().against
    assert "it does not predict what it has predicted in the backtest" in told
    assert str(cached["date"][200]) in told
    path.unlink()
    assert "are missing or damaged" in place.found().against[0]


@pytest.mark.parametrize("part", PARTS)
def test_a_damaged_file_is_refused(place, part):
    (path,) = (place.models / "bt").rglob(f"*{place.newest}{part}")
    path.write_bytes(b"{")
    assert f"{path} is missing or damaged" in "; ".join(place.found().against)
    path.unlink()
    assert f"{path} is missing or damaged" in "; ".join(place.found().against)


def test_a_pattern_promotes_the_pairs_that_are_on_disk(place):
    bench = place.bench(whitelist=[".*/USDT:USDT"])
    (each,) = candidates(bench, {}, place.now)
    assert (each.pair, each.against) == (PAIR, [])
    assert each.checked > 300


def test_the_newest_of_a_backtest_is_taken_and_none_of_a_bot(place):
    (folder,) = (place.models / "bt").glob(f"*_{place.newest}")
    live = folder.with_name(folder.name.replace(str(place.newest), "1999999999"))
    live.mkdir()
    for path in folder.iterdir():
        shutil.copy(path, live / path.name.replace(str(place.newest), "1999999999"))
    (metadata,) = live.glob(f"*{METADATA_FILE}")
    metadata.write_text(json.dumps({**json.loads(metadata.read_text()), "trained_live": True}))
    assert place.found().second == place.newest
    shutil.rmtree(place.models / "bt")
    nothing = place.found()
    assert nothing.folder is None
    assert "no backtest has left a model of it" in nothing.against[0]


def test_a_newer_live_model_is_never_replaced_by_an_older_one(place):
    place.promote()
    assert "is that one" in place.found().against[0]
    (place.live / PAIR_DICTIONARY).write_text(
        json.dumps({PAIR: place.index()[PAIR] | {"trained_timestamp": place.newest + 1}})
    )
    assert "is newer" in place.found().against[0]


def test_there_and_back_again(place):
    bot = place.bot()
    at(bot, place.frames["1m"], 2700)
    bot.freqai.dd.pair_dict[PAIR]["trained_timestamp"] = 0
    train_now(bot)
    bot.freqai.shutdown()
    before = place.index()
    own = Path(before[PAIR]["data_path"])
    # As if it had been trained before the backtest's.
    before[PAIR]["trained_timestamp"] = place.newest - HOUR
    (place.live / PAIR_DICTIONARY).write_text(json.dumps(before))
    place.promote()
    assert place.index() != before
    assert own.is_dir()
    assert undo(place.live) == [f"{PAIR}: a bot starts with {own.name}"]
    assert place.index() == before
    with pytest.raises(PromotionError, match="nothing is left to be undone"):
        undo(place.live)


def test_nothing_is_undone_that_a_bot_has_gone_on_from_or_that_is_gone(place):
    with pytest.raises(PromotionError, match="nothing was promoted"):
        undo(place.live)
    place.promote()
    entry = place.index()[PAIR]
    newer = {PAIR: entry | {"trained_timestamp": place.newest + 5}}
    (place.live / PAIR_DICTIONARY).write_text(json.dumps(newer))
    with pytest.raises(PromotionError, match="a bot has trained since"):
        undo(place.live)
    assert place.index() == newer
    (place.live / PAIR_DICTIONARY).write_text(json.dumps({PAIR: entry}))
    (record,) = json.loads((place.live / PROMOTIONS).read_text())
    record["before"][PAIR] = entry | {"data_path": str(place.live / "gone")}
    (place.live / PROMOTIONS).write_text(json.dumps([record]))
    with pytest.raises(PromotionError, match="is gone"):
        undo(place.live)
    assert place.index() == {PAIR: entry}


def test_what_a_bot_has_forgotten_since_can_be_undone(place):
    """It forgets a model that its settings would not have made, as after they were changed."""
    place.promote()
    bot = place.bot(train_period_days=2)
    at(bot, place.frames["1m"], 2850)
    bot.freqai.dd.save_drawer_to_disk()
    bot.freqai.shutdown()
    forgotten = place.index()[PAIR]
    assert forgotten["model_filename"] == ""
    for index in ({PAIR: forgotten}, {}):
        (place.live / PAIR_DICTIONARY).write_text(json.dumps(index))
        (record,) = json.loads((place.live / PROMOTIONS).read_text())
        assert undo(place.live) == [f"{PAIR}: a bot starts with no model"]
        assert place.index() == {}
        (place.live / PROMOTIONS).write_text(json.dumps([record]))


def test_nothing_is_written_while_a_bot_runs(place):
    each = place.found()
    bot = place.bot()
    with pytest.raises(BotRunsError, match="a bot runs on"):
        publish([each], place.live, "bt", place.now)
    assert not (place.live / PAIR_DICTIONARY).exists()
    assert not list(place.live.glob(ALL_TRAININGS))
    bot.freqai.shutdown()
    publish([each], place.live, "bt", place.now)
    bot = place.bot()
    with pytest.raises(BotRunsError):
        undo(place.live)
    bot.freqai.shutdown()


def test_several_bots_of_a_reload_are_one_presence(tmp_path):
    first, second = Presence(tmp_path), Presence(tmp_path)
    first.leave()
    with pytest.raises(BotRunsError):
        undo_like(tmp_path)
    second.leave()
    undo_like(tmp_path)


def undo_like(folder: Path) -> None:
    """Look for something to be undone, and find nothing."""
    (folder / PROMOTIONS).write_text("[]")
    with pytest.raises(PromotionError):
        undo(folder)


class Killed(BaseException):
    """As a kill, nothing after it is done."""


def test_a_kill_at_any_moment_leaves_the_old_state_or_the_new(place, monkeypatch):
    each = place.found()
    place.live.mkdir()
    old = {PAIR: {"model_filename": "", "trained_timestamp": 0, "data_path": "", "extras": {}}}
    moment, states = 0, []
    replaced = Path.replace

    def mortal(path: Path, target: Path) -> Path:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed
        return replaced(path, target)

    while True:
        moment += 1
        shutil.rmtree(place.live)
        place.live.mkdir()
        (place.live / PAIR_DICTIONARY).write_text(json.dumps(old))
        left = moment
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", mortal)
            with suppress(Killed):
                publish([each], place.live, "bt", place.now)
            is_done = left > 0
        states.append(place.index() != old)
        if states[-1]:
            newest = place.index()[PAIR]
            for part in PARTS:
                content = Path(newest["data_path"], f"{newest['model_filename']}{part}")
                assert content.is_file()
            (model,) = Path(newest["data_path"]).glob(f"*{MODEL_FILE}")
            assert cloudpickle.loads(model.read_bytes()).record.pair == PAIR
        if is_done:
            break
        # Again, over what the killed one has left; and then back.
        publish([each], place.live, "bt", place.now)
        assert place.index()[PAIR]["trained_timestamp"] == place.newest
        undo(place.live)
        assert place.index() == old
    assert states == [False] * (len(states) - 1) + [True]
    assert len(states) > len(PARTS) + 2


def test_a_full_disk_leaves_the_old_state(place, monkeypatch):
    each = place.found()
    place.live.mkdir()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        publish([each], place.live, "bt", place.now)
    assert not (place.live / PAIR_DICTIONARY).exists()
    assert newest_live(place.live) == {}


def test_another_model_of_the_same_moment_is_not_overwritten(place):
    each = place.found()
    folder = place.live / each.folder.name
    folder.mkdir(parents=True)
    (folder / f"{each.name}{MODEL_FILE}").write_bytes(b"another")
    with pytest.raises(PromotionError, match="holds another model of the same moment"):
        publish([each], place.live, "bt", place.now)
    assert (folder / f"{each.name}{MODEL_FILE}").read_bytes() == b"another"


def test_where_one_pair_is_refused_nothing_of_another_is_left(place):
    each = place.found()
    second = replace(each, folder=each.folder.with_name(f"sub-train-ETH_{each.second}"))
    shutil.copytree(each.folder, second.folder)
    there = place.live / second.folder.name
    there.mkdir(parents=True)
    before = sorted(place.live.rglob("*"))
    with pytest.raises(PromotionError, match="holds another model of the same moment"):
        publish([each, second], place.live, "bt", place.now)
    left = {path for path in place.live.rglob("*") if path.suffix != ".lock"}
    assert sorted(left) == before


@pytest.mark.parametrize("name", [PAIR_DICTIONARY, PROMOTIONS])
def test_a_damaged_index_is_named_and_left(place, name):
    each = place.found()
    place.live.mkdir()
    (place.live / name).write_text("{")
    with pytest.raises(PromotionError, match=f"{name} is damaged"):
        publish([each], place.live, "bt", place.now)
    assert not list(place.live.glob(ALL_TRAININGS))
    assert (place.live / name).read_text() == "{"


def test_a_constant_model_is_told(place):
    (path,) = (place.models / "bt").rglob(f"*{place.newest}{MODEL_FILE}")
    model = cloudpickle.loads(path.read_bytes())
    record = model.record.model_copy(update={"is_constant": True})
    path.write_bytes(cloudpickle.dumps(replace(model, record=record)))
    assert "nothing will be entered" in "; ".join(place.found().remarks)


def shared(pair: str, second: int, *against: str) -> Candidate:
    return Candidate(pair, Path(f"sub-train-{pair[0]}_{second}"), list(against))


@pytest.mark.parametrize(
    ("found", "refused"),
    [
        pytest.param([shared("A/B", 5), shared("C/B", 5)], [0, 0], id="all"),
        pytest.param([shared("A/B", 5), shared("C/B", 5, "damaged")], [1, 1], id="one-is-damaged"),
        pytest.param([shared("A/B", 5), shared("C/B", 4)], [1, 1], id="of-two-trainings"),
        pytest.param(
            [shared("A/B", 5), Candidate("C/B", None, ["none there"])], [1, 1], id="one-has-none"
        ),
    ],
)
def test_a_model_that_pairs_share_is_promoted_for_all_or_none(found, refused):
    all_or_none(found)
    assert [len(each.against) for each in found] == refused
