"""What an agent learns from in one window of FreqAI, what is kept of it, and what is refused."""

import json
import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest
from agent_in_freqtrade import agent_backtest, made_up_policy
from agent_toys import toy_task
from freqtrade.exceptions import OperationalException
from freqtrade.resolvers.freqaimodel_resolver import FreqaiModelResolver

from dualwindow.learning.artifact import FormatError, format_trouble
from dualwindow.learning.training import train_together
from dualwindow.market.candles import Candles
from dualwindow.market.labels import Labelling
from dualwindow.samples.data import TrainingData, TrainingError
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import LabelSettings, RangesSettings, Settings
from dualwindow.shipped import PACKAGE
from dualwindow_agent.freqai import artifact as artifact_module
from dualwindow_agent.freqai import configuration as agent_configuration
from dualwindow_agent.freqai.acting import Account, act
from dualwindow_agent.freqai.artifact import AgentArtifact
from dualwindow_agent.freqai.configuration import AgentBlock
from dualwindow_agent.freqai.fingerprint import shaping_beside, shaping_files
from dualwindow_agent.freqai.learning import newest_days, out_of_sample_tapes, train_agent
from dualwindow_agent.learning import training as agent_training
from dualwindow_agent.market.following import follow
from dualwindow_agent.settings import AgentSettings, LearningSettings
from dualwindow_freqtrade.freqai import fingerprint as model_fingerprint
from dualwindow_freqtrade.install.files import wanted
from harness.freqai_run import load_strategy, market
from harness.places import ROOT

DAY = 1440
SETTINGS = Settings(
    history=20,
    horizon=20,
    labels=LabelSettings(
        **{f"{s}_{e}": 0.004 for s in ("long", "short") for e in ("take_profit", "stop_loss")}
    ),
    model=RangesSettings(spans=(3, 10)),
    calibration="none",
)
BLOCK = AgentBlock(
    classifier_days=1.0, window_days=0.5, agent=AgentSettings(learning=toy_task().settings.learning)
)


def window(days: int = 3, pair: str = "BTC/USDT:USDT", seed: int = 0) -> TrainingData:
    """One feature, the change of the close, of some days of a random walk."""
    candles = Candles.from_frame(market(seed, days=days)["1m"], 60)
    change = np.diff(np.log(candles.close), prepend=np.nan)[:, None]
    labels = Labelling.of(SETTINGS).label(candles)
    return TrainingData(pair, candles, change, ("change",), labels)


class Classifiers:
    """Trains as DualWindowLSTM does, and writes down on what."""

    def __init__(self) -> None:
        self.learnt_from: list[list[TrainingData]] = []

    def __call__(self, group):
        self.learnt_from.append(list(group))
        models = train_together(group, SETTINGS, FeatureScaler("standard"))
        return {model.record.pair: model for model in models}


def test_the_log_says_which_days_each_classifier_is_for(caplog):
    caplog.set_level("INFO")
    data = window()
    out_of_sample_tapes([data], SETTINGS, BLOCK, Classifiers())
    day = data.candles.date[0].astype("datetime64[s]").astype("datetime64[D]")
    begin, middle = f"{day}T00:00", f"{day + 1}T12:00"
    told = f"classifier 1 of 4 learns from {begin} on and predicts {day + 1}T00:00 to {middle}"
    assert told in caplog.text


def test_each_candle_is_predicted_by_a_classifier_that_has_not_seen_it():
    learn, data = Classifiers(), window()
    (tape,) = out_of_sample_tapes([data], SETTINGS, BLOCK, learn)
    begin = int(data.candles.date[0])
    spans = [
        (int(seen.candles.date[0]) - begin, int(seen.candles.date[-1]) + 60 - begin)
        for (seen,) in learn.learnt_from
    ]
    half = DAY * 60 // 2
    assert spans == [(i * half, i * half + DAY * 60) for i in range(4)]  # of the last two days
    for (seen,) in learn.learnt_from:  # labels of the last candles are not known yet
        assert (seen.labels[-SETTINGS.horizon :] == -1).all()
    assert int(tape.candles.date[tape.first]) == begin + DAY * 60
    assert tape.candles.date[-1] == data.candles.date[-1]
    assert tape.valid[tape.first :].all()
    assert not tape.valid[: tape.first].any()
    assert tape.first == 720


def test_no_prediction_changes_with_what_comes_after_its_candle():
    data = window()
    moment = 2 * DAY + 100
    factors = np.where(np.arange(3 * DAY) > moment, 1.01, 1.0)
    c = data.candles
    changed = replace(c, open=c.open * factors, high=c.high * factors, low=c.low * factors)
    changed = replace(changed, close=c.close * factors)
    features = np.diff(np.log(changed.close), prepend=np.nan)[:, None]
    other = replace(
        data, candles=changed, features=features, labels=Labelling.of(SETTINGS).label(changed)
    )
    (tape,), (again,) = (
        out_of_sample_tapes([each], SETTINGS, BLOCK, Classifiers()) for each in (data, other)
    )
    past = tape.candles.date <= c.date[moment]
    np.testing.assert_array_equal(tape.probabilities[past], again.probabilities[past])
    assert np.isfinite(tape.probabilities[past]).any()
    assert (tape.probabilities[~past] != again.probabilities[~past]).any()


def test_pairs_share_classifiers_and_have_a_tape_each():
    settings = SETTINGS.model_copy(update={"pooling": "whitelist"})
    group = [window(pair="A/USDT", seed=1), window(pair="B/USDT", seed=2)]
    learn = Classifiers()
    tapes = out_of_sample_tapes(group, settings, BLOCK, learn)
    assert [tape.pair for tape in tapes] == ["A/USDT", "B/USDT"]
    assert [len(each) for each in learn.learnt_from] == [2] * 4


def test_a_hole_divides_a_tape():
    data = window()
    keep = np.ones(3 * DAY, dtype=bool)
    keep[2 * DAY + 500 : 2 * DAY + 520] = False
    cut = replace(
        data, candles=data.candles[keep], features=data.features[keep], labels=data.labels[keep]
    )
    first, second = out_of_sample_tapes([cut], SETTINGS, BLOCK, Classifiers())
    assert first.candles.date[-1] == data.candles.date[2 * DAY + 499]
    assert second.candles.date[0] == data.candles.date[2 * DAY + 520]
    assert second.first == 0
    # Windows of the classifier have to fill up again.
    assert second.valid.argmax() == SETTINGS.history - 1


def test_the_classifier_that_stays_learns_from_the_latest_days():
    (data,) = newest_days([window()], SETTINGS, 1.5)
    assert len(data.candles) == 1.5 * DAY
    assert data.candles.date[-1] == window().candles.date[-1]


def test_too_few_candles_are_told():
    with pytest.raises(TrainingError, match="the agent has too few candles to learn from: no fold"):
        out_of_sample_tapes([window(days=1)], SETTINGS, BLOCK, Classifiers())


def trained() -> AgentArtifact:
    data = window()
    model = Classifiers()([data])[data.pair]
    tapes = out_of_sample_tapes([data], SETTINGS, BLOCK, Classifiers())
    return AgentArtifact.of(model, made_up_policy(tapes, SETTINGS, BLOCK), seconds=77.0)


def test_an_artifact_is_pickled_with_its_agent_and_keeps_it():
    model = trained()
    again = pickle.loads(pickle.dumps(model))
    tape = toy_task(500).learn[0]
    for each in (again, model.made_from({"a": 1}), model.handed_to("X/USDT", ("change",), "young")):
        assert isinstance(each, AgentArtifact)
        seen = np.random.default_rng(0).normal(size=(50, len(model.policy.columns)))
        np.testing.assert_array_equal(each.policy.preferences(seen), model.policy.preferences(seen))
        assert each.policy.settings == model.policy.settings
    assert len(tape) > 0
    assert b"torch" not in pickle.dumps(model)


def test_an_artifact_of_another_format_is_refused(monkeypatch):
    content = pickle.dumps(trained())
    monkeypatch.setattr(artifact_module, "_FORMATS", (99, 1))
    with pytest.raises(
        FormatError, match=r"another version of DualWindowAgent .*\(99, 1\)"
    ) as told:
        pickle.loads(content)
    assert format_trouble(told.value) is told.value


def test_an_account_does_as_one_in_the_arena():
    """As agents are trained and judged, so they act."""
    (tape,) = out_of_sample_tapes([window()], SETTINGS, BLOCK, Classifiers())
    policy = made_up_policy([tape], SETTINGS, BLOCK, None)
    (course,) = followed(policy, [tape])
    account = Account(tape.candles, policy.terms, tape.first)
    acted = act(policy, tape, account)
    positions = np.array([0, 1, -1])[course.action]
    np.testing.assert_array_equal(acted.wanted[:-1], positions)
    np.testing.assert_array_equal(acted.side[1:], course.side)
    assert float(account.accounts.worth[0]) == pytest.approx(np.exp(course.growth.sum()))
    assert (np.diff(acted.side) != 0).sum() > 50


def test_an_agent_is_trained_on_tapes_in_a_process_of_its_own(tmp_path):
    tapes = out_of_sample_tapes([window()], SETTINGS, BLOCK, Classifiers())
    called = []
    policy = train_agent(tapes, SETTINGS, BLOCK, lambda: called.append(1), tmp_path / "logs")
    assert len(list((tmp_path / "logs").glob("events*"))) == 1
    assert policy.barriers == Labelling.of(SETTINGS).barriers
    assert policy.horizon == SETTINGS.horizon
    assert len(called) >= 1

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_agent(tapes, SETTINGS, BLOCK, stop)


def followed(policy, tapes):
    return follow(
        lambda seen, allowed, rows: policy.choose(seen, allowed),
        tapes,
        policy.settings,
        policy.terms,
    )


def test_an_agent_that_loses_on_validation_stays_flat_and_says_so(caplog):
    """On a random walk with a fee of one per cent, after a single rollout."""
    tapes = out_of_sample_tapes([window()], SETTINGS, BLOCK, Classifiers())
    agent = BLOCK.agent.model_dump(mode="json")
    agent["market"] |= {"fee": 0.01}
    agent["learning"] |= {"timesteps": 1}
    block = BLOCK.model_copy(update={"agent": AgentSettings.model_validate(agent)})
    policy = train_agent(tapes, SETTINGS, block, lambda: None)
    assert "all that it has learnt loses on validation, so it stays flat" in caplog.text
    (course,) = followed(policy, tapes)
    assert (course.trades, course.profit) == (0, 0.0)
    assert len(course.action) > 1000


def load(tmp_path, change=lambda config: None, **agent):
    config = agent_backtest(tmp_path)
    own = config["freqai"]["dual_window"]
    own["agent"] = own["agent"] | agent
    change(config)
    before = json.dumps(config, default=str)
    try:
        return FreqaiModelResolver.load_freqaimodel(config)
    finally:
        assert json.dumps(config, default=str) == before  # the user's configuration stays as it is


def test_terms_come_from_the_rest_of_the_configuration(tmp_path):
    model = load(tmp_path, market={"slippage": 0.001, "horizon": False})
    market = model.agent.agent.market
    assert (market.fee, market.shorts, market.slippage) == (0.0005, True, 0.001)
    assert model.ends == (True, False)
    assert model.agent.classifier_days == 0.5
    spot = load(tmp_path, lambda config: config.update(trading_mode="spot"))
    assert not spot.agent.agent.market.shorts


REFUSED = {
    "market": [
        ({"fee": 0.1}, r"agent\.market\.fee must not be set: it is the configuration's 'fee'"),
        ({"shorts": False}, r"agent\.market\.shorts must not be set"),
        ({"leverage": 3}, r"agent\.market\.leverage must not be set"),
        ({"actions": "published"}, r"agent\.market\.actions must not be set"),
        ({"slipage": 0}, r"agent\.market\.slipage is unknown; did you mean 'slippage'\?"),
        ({"slippage": 1}, r"agent\.market\.slippage: Input should be less than 0\.1.* 1"),
        (3, r"agent\.market: Input should be"),
    ],
    "observation": [("published", r"agent\.observation must not be set: .*cash")],
    "window_day": [(1, r"agent\.window_day is unknown; did you mean 'window_days'\?")],
    "window_days": [(0, r"agent\.window_days: Input should be greater than 0"),
                    (0.6, r"window_days 0\.6, together more than freqai\.train_period_days, 1")],
    "learning": [
        ({"batch_size": 100}, r"agent\.learning: batch_size must divide"),
        ({"checkpoint_every": 9}, r"agent\.learning\.checkpoint_every must not be set: .* begins"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [(key, value, message) for key, cases in REFUSED.items() for value, message in cases],
)
def test_bad_settings_are_named_as_the_user_wrote_them(tmp_path, key, value, message):
    with pytest.raises(OperationalException, match=message):
        load(tmp_path, **{key: value})


def test_what_the_rest_must_say_is_told_with_everything_else(tmp_path):
    def change(config):
        del config["fee"]
        config["freqai"] |= {"continual_learning": True, "conv_width": 0}

    with pytest.raises(OperationalException) as told:
        load(tmp_path, change, windw_days=1)
    for problem in (
        "fee is missing",
        "continual_learning must be false",
        "conv_width",
        "windw_days",
    ):
        assert problem in str(told.value)


def test_without_pytorch_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(agent_training, "find_spec", lambda name: None if name == "torch" else 1)
    with pytest.raises(OperationalException, match=r"needs torch: install PyTorch.s CPU build"):
        load(tmp_path)


def test_the_classifier_alone_refuses_the_agents_block(tmp_path):
    config = agent_backtest(tmp_path) | {"freqaimodel": "DualWindowLSTM"}
    with pytest.raises(OperationalException, match=r"freqai\.dual_window\.agent .*DualWindowAgent"):
        FreqaiModelResolver.load_freqaimodel(config)


def test_all_that_shapes_actions_counts():
    files = {path.name for path in shaping_files()}
    assert {"backtest.py", "frames.py", "live.py"} <= files
    assert {"acting.py", "exchange.py", "orders.py", "learner.py", "policy.py", "tape.py"} <= files
    assert not {"commands.py", "settings.py", "configuration.py"} & files
    beside = shaping_beside(BLOCK)
    assert beside.settings["freqai.dual_window.agent.market.fee"] == 0.0005
    assert beside.settings["freqai.dual_window.agent.classifier_days"] == 1.0
    assert {"torch", "stable-baselines3", "sb3-contrib"} <= beside.libraries.keys()


def test_of_an_agent_that_was_installed_all_that_it_inherits_counts(tmp_path, monkeypatch):
    for path, content in wanted().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    for name in [n for n in sys.modules if n == "DualWindowLSTM" or n.startswith(PACKAGE)]:
        monkeypatch.delitem(sys.modules, name)
    config, texts = agent_backtest(tmp_path), []
    config |= {"freqaimodel_path": str(tmp_path / "freqaimodels")}
    digest_texts = model_fingerprint.digest_texts
    monkeypatch.setattr(
        model_fingerprint,
        "digest_texts",
        lambda given: digest_texts(texts.append(text) or text for text in given),
    )
    FreqaiModelResolver.load_freqaimodel(config)
    thin = [(tmp_path / path).read_text() for path in wanted() if path.startswith("freqaimodels")]
    assert len(thin) == 2
    assert {*thin, (ROOT / "freqaimodels" / "DualWindowAgent.py").read_text()} <= {*texts}
    assert [each for each in texts if each.lstrip().startswith("def learn(")]
    assert [each for each in texts if "def act(" in each]


def test_slots_are_held_against_the_pairs_that_a_pairlist_gives(tmp_path, caplog):
    config = agent_backtest(tmp_path) | {"max_open_trades": 2}
    strategy = load_strategy(config, market())
    assert "max_open_trades is lower" not in caplog.text  # of one pair
    strategy.dp.others = {"ETH/USDT:USDT": {}, "SOL/USDT:USDT": {}}
    strategy.bot_start()
    assert "max_open_trades is lower than 3, the number of pairs" in caplog.text
    strategy.freqai.shutdown()


def test_the_shipped_overlay_is_read():
    import rapidjson

    text = (ROOT / "config" / "agent.json").read_text()
    freqai = rapidjson.loads(text, parse_mode=rapidjson.PM_COMMENTS)["freqai"]
    block, problems = agent_configuration.read_agent(
        {"fee": 0.001, "freqai": freqai}, freqai["dual_window"]["agent"]
    )
    assert problems == []
    assert block.agent.learning == LearningSettings(timesteps=500_000)
