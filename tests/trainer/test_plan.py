"""``dualwindow plan`` as it is typed, its table and its page."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import walks
from examples import random_training_data, small_settings

from dualwindow.judging.planned import Plan
from dualwindow.learning.training import train, train_together
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, Labelling
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import BalancingSettings, Settings
from dualwindow_trainer.plan import estimate_of
from dualwindow_trainer.takes import takes

HORIZON = "feature_parameters.label_period_candles"
SMALL = ["--set", "conv_width=24", f"{HORIZON}=24", "model_training_parameters.kind=ranges"]
SMALL += ["--train-days", "10", "--workers", "1", "--windows", "2"]
GRID = ["--take-profit", "0.005", "0.01", "--stop-loss", "0.005", "--horizon", "12", "24"]


@pytest.fixture(scope="module")
def planned(folder, tmp_path_factory):
    """What the command says of two pairs, and writes: status and text, plan, page."""
    from dualwindow.cli import main

    out = tmp_path_factory.mktemp("plan")
    both = ["--pair", "BTC/USDT", "ETH/USDT", "--timeframe", "5m", "--data"]
    both += [str(folder / "BTC.csv"), str(folder / "ETH.csv"), "--models", str(out)]
    with pytest.MonkeyPatch.context() as patch:
        lines = []
        patch.setattr("builtins.print", lambda *words, **_: lines.append(" ".join(words)))
        assert main(["plan", *both, *SMALL, *GRID, "--out", str(out)]) == 0
    plan = Plan.from_json((out / "plan.json").read_text())
    return "\n".join(lines), plan, (out / "plan.html").read_text()


def test_the_shares_are_those_of_the_labels(planned, folder):
    _, plan, _ = planned
    frames = [pd.read_csv(folder / f"{coin}.csv") for coin in ("BTC", "ETH")]
    pairs = [
        Candles.from_frame(f.assign(date=pd.to_datetime(f["timestamp"], unit="ms")), 300)
        for f in frames
    ]
    assert len(plan.rows) == 4
    for row in plan.rows:
        labels = {
            f"{side}_{what}": getattr(row, f"{side}_{what}")
            for side in ("long", "short")
            for what in ("take_profit", "stop_loss")
        }
        settings = Settings.model_validate({"horizon": row.horizon, "labels": labels})
        found = np.concatenate([Labelling.of(settings).label(candles) for candles in pairs])
        known = found[found >= 0]
        assert row.candles == len(known)
        for code, name in enumerate(CLASSES):
            assert row.shares[name] == pytest.approx((known == code).mean())


def test_what_is_configured_is_marked_also_where_the_grid_lacks_it(btc, said, tmp_path):
    words = [*btc, *SMALL, "--models", tmp_path, "--windows", "0"]
    status, text, _ = said("plan", *words, "--take-profit", "0.02", "--horizon", "12")
    assert status == 0
    marked = [line for line in text.splitlines() if "► 1 " in line]
    assert len(marked) == 1
    assert re.search(r"► 1\s+0\.5\s+24", marked[0])
    assert "not asked" in marked[0]
    assert "Skill of three numbers" not in text  # no map of what was not asked


def test_the_table_and_the_map_fit_into_100_columns(btc, said, tmp_path):
    status, text, _ = said("plan", *btc, *SMALL, *GRID, "--models", tmp_path)
    assert status == 0
    shown, words = re.split(r"\n(?=\d+ of \d+ are worth|none of)", text)
    assert "Skill of three numbers" in shown
    assert len(shown.splitlines()) > 20
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 100
    assert "…" not in text
    assert text.count("worth a training") + text.count("few moves") >= 4
    assert "one training of kind ranges, 225 windows of 24 candles: about" in words


LOPSIDED = {"short_take_profit": 0.02, "short_stop_loss": 0.0025}


def test_barriers_that_differ_by_direction_have_cells_of_their_own(btc, said, tmp_path):
    labels = [f"dual_window.labels.{name}={value}" for name, value in LOPSIDED.items()]
    words = [*btc, *SMALL, "--set", *labels, "--models", tmp_path, "--horizon", "24"]
    given = ["--take-profit", "0.01", "0.005", "--stop-loss", "0.005"]
    status, text, _ = said("plan", *words, *given, "--out", tmp_path / "given")
    assert status == 0
    plan = Plan.from_json((tmp_path / "given" / "plan.json").read_text())
    skills = {(row.take_profits, row.stop_losses): row.skill for row in plan.rows}
    mine, alike = skills[(0.01, 0.02), (0.005, 0.0025)], skills[(0.01, 0.01), (0.005, 0.005)]
    assert mine != alike
    narrow = skills[(0.005, 0.005), (0.005, 0.005)]
    shown = text[text.index("Skill of three numbers") :]
    assert re.search(r"take-profit %\s+0\.5\s+1\s+1/2\s*$", shown, re.MULTILINE)
    assert re.search(rf"0\.5/0\.25\s+-\s+-\s*\[{mine:+.3f}\]", shown)
    assert re.search(
        rf"0\.5\s+{re.escape(f'{narrow:+.3f}')}\s+{re.escape(f'{alike:+.3f}')}\s+-", shown
    )
    assert "of LONG / of SHORT, where they differ" in text
    page = (tmp_path / "given" / "plan.html").read_text()
    assert "Where LONG and SHORT have distances of their own" in page
    views = json.loads(re.search(r'id="views-plan-map">(.*?)</script>', page, re.DOTALL)[1])
    (drawn,) = views[0]["figure"]["data"]
    assert (drawn["x"], drawn["y"]) == (["0.5", "1", "1/2"], ["0.5/0.25", "0.5"])
    assert drawn["z"] == [[None, None, mine], [narrow, alike, None]]


def test_a_grid_around_barriers_that_differ_keeps_their_proportion(btc, said, tmp_path):
    labels = [f"dual_window.labels.{name}={value}" for name, value in LOPSIDED.items()]
    words = [*btc, *SMALL, "--set", *labels, "--models", tmp_path, "--windows", "0"]
    status, text, _ = said("plan", *words, "--out", tmp_path)
    assert status == 0
    assert "…" not in text
    rows = Plan.from_json((tmp_path / "plan.json").read_text()).rows
    assert len(rows) == 48
    assert sum(row.is_configured for row in rows) == 1
    for row in rows:
        assert row.short_take_profit == pytest.approx(2 * row.long_take_profit)
        assert row.short_stop_loss == pytest.approx(row.long_stop_loss / 2)


def test_the_page_has_the_numbers_of_the_plan(planned):
    text, plan, page = planned
    views = json.loads(re.search(r'id="views-plan-map">(.*?)</script>', page, re.DOTALL)[1])
    (skill,) = (view for view in views if view["label"] == "skill of three numbers")
    shown = {
        (12 if i == 0 else 24, float(take)): value
        for i, trace in enumerate(skill["figure"]["data"])
        for take, value in zip(trace["x"], trace["z"][0], strict=True)
    }
    assert shown == {(r.horizon, 100 * r.long_take_profit): r.skill for r in plan.rows}
    assert "Plan for BTC/USDT and ETH/USDT" in page
    assert "<script src" not in page
    assert "plan.html" in text
    assert "what is called configured are the package's defaults and --set; yours: -c" in text
    assert set(plan.of_pairs) == {"BTC/USDT", "ETH/USDT"}


def test_a_pair_that_began_too_late_is_told_in_table_plan_and_page(folder, said, tmp_path):
    frame = pd.read_csv(folder / "ETH.csv")
    frame[frame["timestamp"] >= frame["timestamp"].iloc[12 * 288]].to_csv(
        tmp_path / "ETH.csv", index=False
    )
    words = ["--pair", "BTC/USDT", "ETH/USDT", "--timeframe", "5m", *SMALL, *GRID]
    words += ["--data", folder / "BTC.csv", tmp_path / "ETH.csv", "--models", tmp_path]
    shared = ["--set", "dual_window.pooling=whitelist"]
    status, text, _ = said("plan", *words, *shared, "--out", tmp_path)
    assert status == 0
    assert "without ETH/USDT in 1 of them, see the note below" in text
    note = "ETH/USDT has no part in 1 of 2 windows: its candles begin on 2022-01-15, and a window"
    assert f"note: {note}" in text
    assert "of the pair that has most, because pairs move together" in " ".join(text.split())
    (absent,) = Plan.from_json((tmp_path / "plan.json").read_text()).absent
    assert (absent.pair, absent.windows) == ("ETH/USDT", 1)
    assert note in (tmp_path / "plan.html").read_text()


def test_a_planted_signal_is_foreseen(planned):
    _, plan, _ = planned
    assert plan.windows == 2
    assert max(row.skill for row in plan.rows) > 0.01


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        pytest.param(["--take-profit", "0"], "above 0 and below 1", id="no-distance"),
        pytest.param(["--take-profit", "1.5"], "0.01 for 1 %. Received: 1.5", id="per-cent"),
        pytest.param(["--stop-loss", "nan"], "above 0 and below 1", id="not-a-number"),
        pytest.param(["--stop-loss", "tight"], "Received: tight", id="a-word"),
        pytest.param(["--horizon", "0"], "at least 1. Received: 0", id="no-horizon"),
        pytest.param(["--horizon", "99999"], "at most 10,080", id="endless-horizon"),
        pytest.param(["--horizon", "1.5"], "whole number", id="half-a-candle"),
        pytest.param(
            ["--take-profit", "0.01", "0.01"],
            "--take-profit: named more than once: 0.01",
            id="twice",
        ),
        pytest.param(
            ["--take-profit", *(f"0.0{i:03}" for i in range(1, 999))],
            "combinations are too many to be read",
            id="too-many",
        ),
        pytest.param(
            ["--set", "dual_window.labels.rule=smoothed"],
            "labels of the rule 'smoothed' have no take-profit to plan with",
            id="smoothed",
        ),
        pytest.param(
            ["--timerange", "20000101-20000201"],
            "there are no candles in --timerange 20000101-20000201; there are from 2022-01-03",
            id="no-candles",
        ),
        pytest.param(
            ["--timerange", "20220104-20220105", "--horizon", "2000", "--set", f"{HORIZON}=2000"],
            "no candle of 288 can be labelled",
            id="too-few-candles",
        ),
        pytest.param(["--train-days", "0"], "a number of days above 0", id="no-days"),
    ],
)
def test_nonsense_is_refused_in_a_line(btc, said, tmp_path, words, complaint):
    status, text, error = said("plan", *btc, *SMALL, "--models", tmp_path, *words)
    assert status == 2
    assert complaint in error
    assert "Traceback" not in error
    assert error.count("\n") == 1
    assert "skill" not in text


def test_a_damaged_file_is_refused_in_a_line(said, tmp_path):
    path = tmp_path / "BTC.feather"
    path.write_bytes(b"nonsense")
    status, _, error = said("plan", "--pair", "BTC/USDT", "--data", path)
    assert status == 2
    assert str(path) in error
    assert error.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_told(btc, said, tmp_path):
    (tmp_path / "out").write_text("a file")
    words = [*btc, *SMALL, *GRID, "--windows", "0", "--models", tmp_path]
    status, _, error = said("plan", *words, "--out", tmp_path / "out")
    assert status == 2
    assert "cannot be written" in error


def test_records_of_earlier_trainings_tell_how_long_one_takes(tmp_path):
    evenly = {"balancing": {"method": "none"}}
    settings = small_settings(12, 12, "trees", stride=2, rounds=2, whole=evenly)
    data = random_training_data(4000, 1)
    made = train(data, settings, FeatureScaler("standard")).record
    record = json.loads(made.to_json())
    folder = tmp_path / "models" / "any" / "sub-train-BTC_1"
    folder.mkdir(parents=True)
    (folder / "broken_dualwindow.json").write_text("{")
    n = made.training_windows.total
    days = n * settings.model.stride / (1 - settings.validation_share) * 300 / 86400
    before = takes(settings, days, 300, 1, tmp_path / "models")
    assert "measured on two cores of another machine" in before.basis
    assert before.seconds == estimate_of(settings, before.windows, round(days * 288), 6).seconds
    for i, seconds in enumerate((10.0, 14.0, 30.0)):
        text = json.dumps(record | {"seconds": seconds})
        (folder / f"{i}_dualwindow.json").write_text(text)
    found = takes(settings, days, 300, 1, tmp_path / "models")
    assert found.windows == pytest.approx(n, rel=0.01)
    assert found.seconds == pytest.approx(14, rel=0.02)
    assert found.least_seconds == pytest.approx(14 / 1.5, rel=0.02)
    assert found.most_seconds == pytest.approx(30, rel=0.02)
    assert "3 earlier trainings of these model settings" in found.basis
    # Another model, history, balancing, or a training of quite another size: by the formula.
    longer = settings.model_copy(update={"history": 13})
    assert "another machine" in takes(longer, days, 300, 1, tmp_path / "models").basis
    other = settings.model_copy(update={"model": settings.model.model_copy(update={"rounds": 9})})
    assert "another machine" in takes(other, days, 300, 1, tmp_path / "models").basis
    assert "another machine" in takes(settings, 5 * days, 300, 1, tmp_path / "models").basis
    thin = settings.model_copy(update={"balancing": BalancingSettings(method="undersample")})
    assert "another machine" in takes(thin, days, 300, 1, tmp_path / "models").basis
    # A training that pairs share has the windows of all.
    shared = settings.model_copy(update={"pooling": "whitelist"})
    assert takes(shared, days, 300, 3, tmp_path).windows == pytest.approx(3 * n, rel=0.01)


def test_windows_that_balancing_leaves_out_are_not_counted_twice(tmp_path):
    """The very same training again, of pairs of whose windows it keeps one in three or so."""
    settings = walks.settings()
    group = [pair.between(0, 86400, Labelling.of(settings)) for pair in walks.pairs()]
    alone = train(group[0], settings, FeatureScaler("standard")).record
    shared = settings.model_copy(update={"pooling": "whitelist"})
    together = train_together(group, shared, FeatureScaler("standard"))[0].record
    for record, mine, n_pairs in ((alone, settings, 1), (together, shared, 2)):
        assert record.rejected["thinned by balancing"] > 100
        models = tmp_path / mine.pooling
        models.mkdir()
        text = json.dumps(json.loads(record.to_json()) | {"seconds": 100.0})
        (models / "a_dualwindow.json").write_text(text)
        found = takes(mine, len(group[0].candles) / 1440, 60, n_pairs, models)
        assert found.seconds == pytest.approx(100, rel=0.1)
        assert found.windows == pytest.approx(record.training_windows.total, rel=0.1)


@pytest.mark.parametrize(
    ("kind", "history", "days", "measured"),  # megabytes at the peak of `dualwindow train`
    [
        ("ranges", 180, 7, 301),
        ("trees", 180, 20, 323),
        ("trees", 2880, 7, 531),
        ("trees", 2880, 20, 946),
        ("lstm", 180, 7, 865),
        ("lstm", 1440, 7, 1038),
        ("lstm", 4320, 7, 1405),
        ("gru", 2880, 7, 1202),
        ("bilstm", 2880, 7, 1277),
        ("dlstm", 2880, 7, 1275),
        ("published", 120, 7, 1121),
        ("published", 480, 7, 1751),
        ("published", 1440, 7, 3987),
    ],
)
def test_memory_is_at_least_what_was_measured_and_not_far_above(kind, history, days, measured):
    settings = Settings.model_validate({"history": history, "model": {"kind": kind}})
    n_candles = days * 1440
    n_windows = int(0.8 * n_candles - history - settings.horizon) // settings.model.stride
    found = estimate_of(settings, n_windows, n_candles, 6).memory / 1e6
    assert measured <= found <= 1.35 * measured


def test_a_training_too_short_for_a_window_is_told(btc, said, tmp_path):
    words = [*btc, *SMALL, *GRID, "--windows", "0", "--models", tmp_path, "--train-days", "0.1"]
    status, text, _ = said("plan", *words)
    assert status == 0
    assert "no window to learn from: 0.1 days, less those that validate, are shorter than" in text
