"""What a model was made from is told by what its strategy computes, too, not by its text alone."""

import importlib
import inspect
import sys
from pathlib import Path

import numpy as np
import pytest
from freqtrade.exceptions import OperationalException

from dualwindow_freqtrade.backtest import pooling as backtest_pooling
from dualwindow_freqtrade.freqai import fingerprint as model_fingerprint
from dualwindow_freqtrade.freqai.feature_digest import made_up_candles, rounded
from dualwindow_freqtrade.freqai.fingerprint import Fingerprint
from dualwindow_freqtrade.live import pooling as live_pooling
from harness.freqai_run import (
    PAIR,
    at,
    backtest,
    configuration,
    dry_run,
    live_configuration,
    load_strategy,
    market,
    train_now,
)
from harness.places import ROOT

RANGES = {"kind": "ranges", "spans": [3, 10]}
TEXTS = {
    "Mine": """
from mine_base import Base
from mine_features import spread

SPAN = 5


class Mine(Base):
    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        mean = dataframe["close"].rolling(SPAN).mean()
        return dataframe.assign(**{"%-mean": mean * self.factor, "%-spread": spread(dataframe)})

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
""",
    "mine_base": """
from freqtrade.strategy import IStrategy


class Base(IStrategy):
    timeframe = "1m"
    startup_candle_count = 10
    stoploss = -0.1
    minimal_roi = {}
    factor = 1.0

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        return self.freqai.set_targets(dataframe)

    def populate_indicators(self, dataframe, metadata):
        return self.freqai.start(dataframe, metadata, self)

    def populate_entry_trend(self, dataframe, metadata):
        return dataframe
""",
    "mine_features": """
def spread(candles):
    return candles["high"] / candles["low"] - 1
""",
}


# A model of one's own, with what else may stand in its file.
OWN_MODEL = """
from DualWindowLSTM import DualWindowLSTM
from own_base import Counted

SWAP = False


def swapped(frame):
    if SWAP:
        frame[["LONG", "SHORT"]] = frame[["SHORT", "LONG"]].to_numpy()
    return frame


class Own(Counted, DualWindowLSTM):
    def predict(self, unfiltered_df, dk, **kwargs):
        frame, do_predict = super().predict(unfiltered_df, dk, **kwargs)
        return self.shown(frame), do_predict

    def shown(self, frame):
        return swapped(frame)
"""
OWN_BASE = """
class Counted:
    n = 1
"""


@pytest.fixture(scope="module")
def frames():
    return market()


class Place:
    """A folder with a strategy of three modules, which is loaded anew as by a new process."""

    def __init__(self, folder: Path) -> None:
        self.user_data, self._folder = folder, folder / "strategies"
        self._folder.mkdir()
        for name, text in TEXTS.items():
            (self._folder / f"{name}.py").write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self._folder / f"{name}.py"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def with_mine(self, config: dict) -> dict:
        for name in TEXTS:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return config | {"strategy": "Mine", "strategy_path": str(self._folder)}

    def load(self, frames, kind: dict | None = None, **changes):
        config = configuration(self.user_data, model_training_parameters=kind or RANGES) | changes
        return load_strategy(self.with_mine(config), frames)

    def facts(self, frames, **changes) -> dict:
        return facts_of(self.load(frames, **changes))


@pytest.fixture
def place(tmp_path, monkeypatch):
    # An edit within the second in which a file was compiled would go unnoticed by Python.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield Place(tmp_path)
    for name in TEXTS:
        sys.modules.pop(name, None)


def facts_of(strategy) -> dict:
    strategy.freqai.fingerprint.digest_code(strategy)
    return strategy.freqai.fingerprint.facts()


def changed(before: dict, after: dict) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


def test_the_same_strategy_has_the_same_fingerprint(place, frames):
    facts = place.facts(frames)
    assert place.facts(frames) == facts
    assert "not computed" not in facts["code.features"]
    assert {n for n in facts if n.startswith("code.")} == {
        "code.core",
        "code.model",
        "code.strategy",
        "code.features",
    }


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        pytest.param(("Mine", "SPAN = 5", "SPAN = 6"), {"strategy", "features"}, id="constant"),
        pytest.param(
            ("mine_base", "factor = 1.0", "factor = 1.001"),
            {"strategy", "features"},
            id="class-attribute-of-a-base",
        ),
        pytest.param(
            ("mine_features", '["low"]', '["close"]'), {"features"}, id="helper-in-another-module"
        ),
        pytest.param(("mine_features", "- 1", "- 1.0  # the same"), set(), id="same-values"),
        pytest.param(
            ("Mine", "        return dataframe\n", "        return dataframe.copy()\n"),
            {"strategy"},
            id="exit",
        ),
        pytest.param(
            (
                "Mine",
                '{"%-mean": mean * self.factor, "%-spread": spread(dataframe)}',
                '{"%-spread": spread(dataframe), "%-mean": mean * self.factor}',
            ),
            {"strategy", "features"},
            id="order",
        ),
        pytest.param(("mine_base", "= 10", "= 11"), {"strategy", "features"}, id="startup"),
    ],
)
def test_an_edit_changes_what_it_shapes(place, frames, edit, told):
    before = place.facts(frames)
    place.edit(*edit)
    assert changed(before, place.facts(frames)) == {f"code.{name}" for name in told}


def test_what_is_set_from_elsewhere_counts(place, frames):
    before = place.facts(frames)
    strategy = place.load(frames)
    strategy.factor = 2.0
    assert changed(before, facts_of(strategy)) == {"code.features"}


def test_what_is_edited_after_the_start_is_not_what_runs(place, frames, monkeypatch):
    before = place.facts(frames)
    strategy = place.load(frames)
    place.edit("Mine", "SPAN = 5", "SPAN = 50")
    monkeypatch.setattr(model_fingerprint, "_MODEL_MODULES", ())
    monkeypatch.setattr(model_fingerprint, "digest_code", lambda kind: "edited")
    assert facts_of(strategy) == before
    assert changed(before, place.facts(frames)) == {
        "code.core",
        "code.model",
        "code.strategy",
        "code.features",
    }


def test_a_base_that_stays_loaded_counts_as_it_is_loaded(place, frames):
    """As in a bot that reloads its configuration."""
    strategy = place.load(frames)
    before = facts_of(strategy)
    place.edit("mine_base", "factor = 1.0", "factor = 2.0")
    assert facts_of(load_strategy(strategy.config, frames)) == before
    assert changed(before, place.facts(frames)) == {"code.strategy", "code.features"}


def test_the_strategys_data_provider_is_not_asked_and_stays(place, frames):
    place.edit("mine_features", "def spread(candles):", "def spread(candles, others=1):")
    place.edit(
        "Mine",
        "        mean =",
        '        hours = self.dp.get_pair_dataframe("BTC/USDT", "1h")["close"].iloc[-1]\n'
        "        mean = hours *",
    )
    before = place.facts(frames)
    strategy = place.load(frames)
    provider = strategy.dp = object()
    assert facts_of(strategy) == before
    assert strategy.dp is provider
    assert "not computed" not in before["code.features"]


def test_features_that_need_an_exchange_are_told_and_the_text_still_counts(place, frames, caplog):
    place.edit("Mine", "SPAN = 5", "SPAN = 5\nDEPTH = 20")
    place.edit(
        "Mine", "        mean =", "        self.dp.orderbook('BTC/USDT', DEPTH)\n        mean ="
    )
    before = place.facts(frames)
    assert before["code.features"] == "not computed: AttributeError"
    assert caplog.text.count("cannot be computed on made-up candles (AttributeError: ") == 1
    place.edit("Mine", "DEPTH = 20", "DEPTH = 5")
    assert changed(before, place.facts(frames)) == {"code.strategy"}


def test_a_lack_of_memory_is_no_property_of_the_features(place, frames):
    before, strategy = place.facts(frames), place.load(frames)
    provider = strategy.dp

    def lacking(dataframe, **kwargs):
        raise MemoryError

    strategy.feature_engineering_standard = lacking
    with pytest.raises(MemoryError):
        facts_of(strategy)
    assert strategy.dp is provider
    del strategy.feature_engineering_standard
    assert facts_of(strategy) == before


def test_libraries_are_those_that_shape_numbers(place, frames, monkeypatch):
    ranges, lstm = place.facts(frames), place.facts(frames, kind={"lstm_units": [2]})

    def libraries(facts: dict) -> set[str]:
        return {n.removeprefix("libraries.") for n in facts if n.startswith("libraries.")}

    assert libraries(ranges) == {"numpy", "scipy", "scikit-learn", "pandas"}
    assert libraries(lstm) == libraries(ranges) | {"tensorflow", "keras"}
    trees = place.facts(frames, kind={"kind": "trees", "spans": [3, 10]})
    assert libraries(trees) == libraries(ranges) | {"lightgbm"}
    both = place.facts(frames, kind={"kind": "ensemble"})
    assert libraries(both) == libraries(lstm) | libraries(trees)
    assert ranges["libraries.numpy"] == np.__version__
    place.edit("mine_base", "from freqtrade", "import talib\nfrom freqtrade")
    assert libraries(place.facts(frames)) == libraries(ranges) | {"TA-Lib"}
    true = model_fingerprint.versions
    monkeypatch.setattr(model_fingerprint, "versions", lambda: true() | {"scipy": "9.9"})
    place.edit("mine_base", "import talib\n", "")
    assert changed(ranges, place.facts(frames)) == {"libraries.scipy"}


def test_another_exchange_is_another_market(place, frames):
    before = place.facts(frames)
    exchange = configuration(place.user_data)["exchange"] | {"name": "kraken"}
    assert changed(before, place.facts(frames, exchange=exchange)) == {"exchange"}


def test_a_backtest_refuses_what_a_helper_made_otherwise(place, frames):
    config = configuration(place.user_data, model_training_parameters=RANGES)
    backtest(place.with_mine(config), frames)
    backtest(place.with_mine(config), frames)
    place.edit("mine_features", '["low"]', '["close"]')
    with pytest.raises(
        OperationalException, match=r"with other code \(features: \w+ -> \w+\); set"
    ):
        backtest(place.with_mine(config), frames)


def test_a_backtest_refuses_what_other_libraries_made(place, frames, monkeypatch):
    config = configuration(place.user_data, model_training_parameters=RANGES)
    backtest(place.with_mine(config), frames)
    true = model_fingerprint.versions
    monkeypatch.setattr(model_fingerprint, "versions", lambda: true() | {"scipy": "9.9"})
    with pytest.raises(OperationalException, match=r"with other libraries \(scipy: .+ -> 9\.9\)"):
        backtest(place.with_mine(config), frames)


def test_a_bot_trains_anew_what_a_helper_made_otherwise(place, caplog):
    config = live_configuration(place.user_data, model_training_parameters=RANGES)
    strategy, minutes = dry_run(place.with_mine(config))
    at(strategy, minutes, 2799)
    train_now(strategy)
    strategy.freqai.shutdown()
    for n_refused, edited in enumerate((("Mine", "", ""), ("mine_features", "- 1", "- 2"))):
        place.edit(*edited)
        again, _ = dry_run(place.with_mine(config))
        at(again, minutes, 2800)
        assert caplog.text.count("code or libraries: code.features: ") == n_refused
        assert (again.freqai.dd.pair_dict[PAIR]["model_filename"] == "") == bool(n_refused)


def test_it_is_computed_once(place, frames, monkeypatch):
    strategy = place.load(frames)
    facts = facts_of(strategy)
    strategy.factor = 2.0
    assert facts_of(strategy) == facts
    model = strategy.freqai
    assert Fingerprint(model, type(model), model.settings, ()).facts() != facts


class OwnModel:
    """A folder with a model of one's own, loaded anew as by a new process."""

    def __init__(self, folder: Path) -> None:
        self.user_data, self.folder = folder, folder / "freqaimodels"
        self.folder.mkdir()
        (self.folder / "Own.py").write_text(OWN_MODEL)
        (self.folder / "own_base.py").write_text(OWN_BASE)

    def edit(self, old: str, new: str, name: str = "Own") -> None:
        path = self.folder / f"{name}.py"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def config(self) -> dict:
        sys.modules.pop("own_base", None)
        importlib.invalidate_caches()
        config = configuration(self.user_data, model_training_parameters=RANGES)
        return config | {"freqaimodel": "Own", "freqaimodel_path": str(self.folder)}

    def facts(self, frames) -> dict:
        return facts_of(load_strategy(self.config(), frames))


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(ROOT / "freqaimodels")
    yield OwnModel(tmp_path)
    for name in ("DualWindowLSTM", "own_base"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(("SWAP = False", "SWAP = True"), id="constant"),
        pytest.param(("    if SWAP:", "    if not SWAP:"), id="helper"),
        pytest.param(("return swapped(frame)", "return frame"), id="method"),
        pytest.param(("super().predict(", "self.predict("), id="predict"),
        pytest.param(("n = 1", "n = 2", "own_base"), id="module-of-a-base"),
    ],
)
def test_any_edit_of_a_model_of_ones_own_counts(own, frames, edit):
    before = own.facts(frames)
    assert own.facts(frames) == before
    own.edit(*edit)
    assert changed(before, own.facts(frames)) == {"code.model"}


def test_what_a_model_of_ones_own_overrides_counts_in_the_adapter_too(own, frames, monkeypatch):
    before = own.facts(frames)
    adapter, real = sys.modules["DualWindowLSTM"].DualWindowLSTM, inspect.getsource
    monkeypatch.setattr(
        model_fingerprint.inspect,
        "getsource",
        lambda part: "edited" if part is adapter.predict else real(part),
    )
    assert changed(before, own.facts(frames)) == {"code.model"}


def test_of_the_adapter_alone_its_methods_count_and_not_its_file(place, frames, monkeypatch):
    strategy = place.load(frames)
    before = facts_of(strategy)
    monkeypatch.setattr(type(strategy.freqai), "__file__", "nowhere.py")
    model = strategy.freqai
    again = Fingerprint(model, type(model), model.settings, (backtest_pooling, live_pooling))
    again.digest_code(strategy)
    assert again.facts() == before


def test_a_backtest_refuses_what_another_helper_of_a_model_made(own, frames):
    backtest(own.config(), frames)
    backtest(own.config(), frames)
    own.edit("SWAP = False", "SWAP = True")
    with pytest.raises(OperationalException, match=r"with other code \(model: \w+ -> \w+\); set"):
        backtest(own.config(), frames)


def test_rounding_alone_changes_no_digest(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=500)
    values[:3], values[3:6] = np.nan, (np.inf, -np.inf, 0.0)
    noise = 1 + rng.uniform(-1e-13, 1e-13, 500)
    rest = rng.uniform(-1e-15, 1e-15, 500)  # as a difference of equal prices leaves it
    with np.errstate(invalid="ignore"):
        assert rounded(values * noise + rest) == rounded(values)
    negative = values.copy()
    negative[5] = -0.0
    assert rounded(negative) == rounded(values)
    for other in (values * 1.00001, values + 1e-5, np.roll(values, 1), values[:-1]):
        assert rounded(other) != rounded(values)
    for row in (0, 3, 4, 5, 99):
        moved = values.copy()
        moved[row] = 0.123
        assert rounded(moved) != rounded(values)


def test_features_without_a_known_value_have_a_digest():
    nothing, zeros = np.full(9, np.nan), np.zeros(9)
    assert len({rounded(nothing), rounded(zeros), rounded(zeros[:0]), rounded(zeros + 1)}) == 4


def test_made_up_candles_are_candles_and_always_the_same():
    frame = made_up_candles("A/USDT", 60, 500)
    assert frame.equals(made_up_candles("A/USDT", 60, 500))
    assert not frame["close"].equals(made_up_candles("B/USDT", 60, 500)["close"])
    assert not frame["close"].equals(made_up_candles("A/USDT", 300, 500)["close"])
    assert str(frame["date"].iloc[-1]) == "2024-01-07 23:59:00+00:00"
    assert (frame["date"].diff().dropna().dt.total_seconds() == 60).all()
    assert (frame["high"] >= frame[["open", "close"]].max(axis=1)).all()
    assert (frame["low"] <= frame[["open", "close"]].min(axis=1)).all()
    assert (frame[["low", "volume"]] > 0).all(axis=None)
