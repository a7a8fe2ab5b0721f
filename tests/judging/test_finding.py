"""A whole report: against the parts that it is made of, by pencil, and where little is known."""

import copy
import math
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
import walks
from examples import make_candles, random_candles
from examples_evidence import COSTS, by_hand, evidence, walked

from dualwindow.judging.decisions import Thresholds
from dualwindow.judging.finding import find
from dualwindow.judging.findings import Agents, Deal, Findings
from dualwindow.judging.ladder import ladder
from dualwindow.judging.out_of_sample import fold_scores
from dualwindow.judging.overfitting import (
    daily_losses,
    deflated_sharpe,
    probability_of_overfitting,
    sharpe_of,
)
from dualwindow.judging.reliability import wilson
from dualwindow.judging.seen import all_seen
from dualwindow.judging.three_numbers import baseline_settings
from dualwindow.judging.windows import learning_curves
from dualwindow.market.labels import CLASSES, HOLD, LONG, SHORT, UNKNOWN
from dualwindow.models.classifier import Epoch
from dualwindow.reports.charts_agents import agent_charts
from dualwindow.settings import SmoothedLabelSettings

NOW = 1_700_000_000.0
DAY = 86400
A = "A/USDT"


@pytest.fixture(scope="module")
def found() -> Findings:
    return find(evidence(), NOW)


def test_it_survives_json(found):
    assert Findings.from_json(found.to_json()) == found
    assert found.subject.made_at == NOW


def test_every_window_has_the_scores_of_its_fold(found):
    walk = walked(walks.settings())
    scored = fold_scores(walk)
    assert len(found.skill.rows) == len(scored) == 8
    for row, (fold, record, scores) in zip(found.skill.rows, scored, strict=True):
        assert (row.pair, row.start, row.stop) == (fold.pair, fold.start, fold.stop)
        assert row.skill == pytest.approx(scores.skill)
        assert row.log_loss == pytest.approx(scores.log_loss)
        assert row.auc_short == scores.auc_short
        lost, quoted = scores.split, scores.split_of_frequencies
        assert row.touch == pytest.approx(1 - lost.touch / quoted.touch)
        assert row.direction == pytest.approx(1 - lost.direction / quoted.direction)
        table = walk.table[(walk.table["pair"] == fold.pair) & (walk.table["fold"] == fold.number)]
        counts = [(table["label"] == code).sum() for code in (SHORT, HOLD, LONG, UNKNOWN)]
        assert list(row.labels.values()) == counts
        assert row.taught == record.training_labels.model_dump()
    assert [row.block for row in found.skill.rows] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert found.skill.windows == 8
    assert found.skill.above_zero == sum(row.skill > 0 for row in found.skill.rows)
    assert found.skill.mean.mean == pytest.approx(np.mean([r.skill for r in found.skill.rows]))
    assert found.skill.mean.low is None  # of four windows of time


@pytest.mark.parametrize(("passing", "fallback"), [(0.4, "hold"), (0.9, "argmax")])
def test_the_ladder_is_that_of_compare(passing, fallback):
    """On the candles that both have predicted: of the other one, every seventh is missing."""
    other = walked(walks.settings(stride=3, penalty=1.0))
    some = np.arange(len(other.table)) % 7 != 0
    kept = {name: other.table[name].where(some) for name in CLASSES}
    other = other._replace(table=other.table.assign(valid=some, **kept))
    walk = walked(walks.settings())
    rule = Thresholds(passing, 0.95, passing)
    seen = evidence(walks={"toy": walk, "other": other}, rule=rule, fallback=fallback)
    told = {rung.name: rung for rung in find(seen, NOW).skill.ladder}
    assert set(told) == {"toy", "other", "three numbers (ranges)", "class frequencies"}
    lines = ladder({"toy": walk, "other": other}, "toy", rule, fallback)
    assert all(line.signals for line in lines)
    for line in lines:
        rung = told[line.name]
        assert rung.skill.mean == pytest.approx(line.skills.mean())
        assert rung.worst == pytest.approx(line.skills.min())
        assert rung.above_zero == pytest.approx((line.skills > 0).mean())
        assert (rung.touch, rung.direction) == pytest.approx((line.touch, line.direction))
        assert rung.calibration_error == pytest.approx(line.calibration_error)
        assert (rung.signals, rung.hit_rate) == (line.signals, pytest.approx(line.hit_rate))
        assert rung.seconds == pytest.approx(line.seconds)
    quoted = told["class frequencies"]
    assert (quoted.skill.mean, quoted.touch, quoted.direction) == pytest.approx((0, 0, 0))


def test_three_numbers_are_the_kind_itself():
    """But in the first window, of whose first candle this walk-forward did not know a feature."""
    settings = baseline_settings(walks.settings())
    found = find(evidence(walked(settings)), NOW)
    same = [row for row in found.skill.rows if row.start > walks.START]
    assert len(same) == 6
    for row in same:
        assert row.baseline_skill == pytest.approx(row.skill, abs=1e-6)
    assert found.skill.baseline == "ranges"


def test_what_happens_later_changes_no_earlier_window():
    walk, settings = walked(walks.settings()), walks.settings()
    first = walk.folds[:4]  # two windows of both pairs
    end = first[-1].stop
    kept = walk.table["date"].to_numpy("datetime64[s]").astype(np.int64) < end
    earlier = walk._replace(
        table=walk.table[kept].reset_index(drop=True), records=walk.records[:4], folds=first
    )
    candles = {}
    for pair in walks.pairs():
        late = pair.candles.date >= end + settings.horizon * 60
        changed = {
            name: np.where(late, 55.0, getattr(pair.candles, name))
            for name in ("high", "low", "close", "volume")
        }
        candles[pair.pair] = replace(pair.candles, **changed)
    before, after = find(evidence(), NOW), find(evidence(earlier, candles=candles), NOW)
    assert after.skill.rows == before.skill.rows[:4]
    assert after.skill.rows[0].baseline_skill is not None


def test_inputs_are_untouched():
    seen = evidence(vetoed={A: np.zeros(532, dtype=bool)}, actions={A: np.zeros(532, dtype=int)})
    for candles in seen.candles.values():
        for each in fields(candles):
            if isinstance(value := getattr(candles, each.name), np.ndarray):
                value.setflags(write=False)
    before = copy.deepcopy(seen.walks["toy"].table)
    find(seen, NOW)
    pd.testing.assert_frame_equal(seen.walks["toy"].table, before)


def test_what_an_agent_wanted_is_told_from_its_first_candle_on_and_at_each_change():
    wanted = {A: np.array([0, 1, 1, -1, -1, 0])}
    found = hand([SURE_OF_HOLD] * 6, [HOLD] * 6, actions=wanted)
    minutes = ((0, 0), (1, 1), (3, -1), (5, 0))
    assert found.agents.positions == {A: tuple((walks.START + 60 * m, p) for m, p in minutes)}
    (chart,) = agent_charts(found)
    (drawn,) = chart.views[0].figure["data"]
    assert drawn["y"] == [0, 1, -1, 0, 0]
    assert drawn["x"][-1] == 1000 * (walks.START + 6 * 60)  # to the end of the last candle
    evaluated = Agents(rows=(), median="m", worst="w", notes=("n",), positions={})
    both = hand([SURE_OF_HOLD] * 6, [HOLD] * 6, actions=wanted, agents=evaluated).agents
    assert both == evaluated.model_copy(update={"positions": found.agents.positions})


def test_without_actions_agents_are_as_they_were_evaluated():
    evaluated = Agents(rows=(), median=None, worst=None, notes=("n",), positions={})
    assert hand([SURE_OF_HOLD], [HOLD], agents=evaluated).agents == evaluated
    assert hand([SURE_OF_HOLD], [HOLD]).agents is None


SURE_OF_LONG, SURE_OF_HOLD = [0.1, 0.2, 0.7], [0.1, 0.8, 0.1]


def hand(p, labels, n_windows=1, **more):
    plain = {"rule": Thresholds(0.5, 0.5, 0.5), "confidence": "from 0.5"}
    return find(evidence(by_hand(p, labels, n_windows), **(plain | more)), NOW)


def test_by_pencil():
    """Quoted are the record's frequencies; the rule enters long on two candles, one comes true."""
    p = [SURE_OF_LONG, SURE_OF_LONG, SURE_OF_HOLD, SURE_OF_HOLD]
    found = hand(p, [LONG, HOLD, HOLD, SHORT])
    counts = walked(walks.settings()).records[0].labels
    shares = np.array([counts.SHORT + 1, counts.HOLD + 1, counts.LONG + 1])
    quoted = -np.log(shares / shares.sum())
    reference = (quoted[2] + 2 * quoted[1] + quoted[0]) / 4
    loss = -(math.log(0.7) + math.log(0.2) + math.log(0.8) + math.log(0.1)) / 4
    (row,) = found.skill.rows
    assert row.log_loss == pytest.approx(loss)
    assert row.log_loss_of_frequencies == pytest.approx(reference)
    assert found.skill.mean.mean == pytest.approx(1 - loss / reference)
    rule = found.ways[1]
    assert rule.confusion == ((0, 1, 0), (0, 1, 1), (0, 0, 1))
    assert (rule.long.signals, rule.long.hit_rate, rule.short.signals) == (2, 0.5, 0)
    assert found.entered_from == {"SHORT": 0.5, "LONG": 0.5}
    assert [step.count for step in found.funnel[:4]] == [4, 4, 2, 2]


def test_who_cannot_short_has_findings_of_long_alone(found):
    alone = find(evidence(can_short=False), NOW)
    before = {**found.skill.model_dump(), "ladder": ()}
    assert {**alone.skill.model_dump(), "ladder": ()} == before
    assert list(found.thresholds) == ["SHORT", "LONG"]
    assert alone.thresholds == {"LONG": found.thresholds["LONG"]}
    assert alone.ways[1].sides.keys() == alone.entered_from.keys() == {"LONG"}
    (mine, *_), (theirs, *_) = alone.skill.ladder, found.skill.ladder
    assert 0 < mine.signals < theirs.signals
    assert mine.signals == sum(np.array(alone.ways[1].confusion)[:, LONG])
    assert not alone.subject.can_short
    assert Findings.from_json(alone.to_json()) == alone


def test_bands_of_reliability_are_those_of_as_many_as_share_no_candle(found):
    """Labels look 12 candles ahead, and two pairs tell as much as one."""
    bins = [each for of_class in found.reliability.values() for each in of_class]
    assert len(bins) == 30
    for each in bins:
        assert (each.low, each.high) == wilson(each.happened, each.count / (12 * 2))


def test_losses_of_balanced_classes_have_no_line_of_the_frequencies():
    """Their loss is weighted, and that of the frequencies is not."""
    walk = walked(walks.settings())
    record = walk.records[0]
    epoch = Epoch(1, 1, 1.1, 1.0, 0.001, 0.1)
    told = {}
    for method in ("none", "class_weights"):
        balancing = record.settings.balancing.model_copy(update={"method": method})
        settings = record.settings.model_copy(update={"balancing": balancing})
        learnt = record.model_copy(update={"settings": settings, "epochs": (epoch,)})
        (curve,) = learning_curves(walk._replace(records=[learnt], folds=walk.folds[:1]))
        told[method] = curve.loss_of_frequencies
    assert told == {
        "none": record.validation.log_loss_of_frequencies,
        "class_weights": None,
    }


def test_a_curve_that_pairs_share_is_drawn_once():
    """Epochs alike are one training only where pairs have learnt together."""
    walk = walked(walks.settings())
    epochs, (a, b) = (Epoch(1, 1, 1.1, 1.0, 0.001, 0.1),), walk.folds[:2]
    assert (a.start, a.pair, b.pair) == (b.start, A, "B/USDT")
    names = {}
    for learnt_from in ((A, "B/USDT"), None):
        records = [
            record.model_copy(update={"epochs": epochs, "learnt_from": learnt_from or ()})
            for record in walk.records[:2]
        ]
        curves = learning_curves(walk._replace(records=records, folds=[a, b]))
        names[learnt_from] = [curve.name for curve in curves]
    assert names == {(A, "B/USDT"): ["A/USDT, B/USDT"], None: [A, "B/USDT"]}


def test_one_class_alone():
    found = hand([SURE_OF_HOLD] * 40, [HOLD] * 40)
    assert found.skill.mean.mean is not None
    assert found.skill.direction is None
    assert found.skill.rows[0].auc_long is None
    assert any("SHORT and LONG never happened" in each for each in found.warnings)
    assert found.ways[0].recall == (None, 1, None)
    assert all(each.signals == 0 for each in found.thresholds["LONG"] if each.threshold > 0.1)
    assert Findings.from_json(found.to_json()) == found


def test_no_label_is_known_yet():
    found = hand([SURE_OF_LONG] * 5, [UNKNOWN] * 5)
    assert (found.skill.mean.mean, found.skill.windows, found.skill.ladder) == (None, 0, ())
    assert found.reliability == dict.fromkeys(CLASSES, ())
    assert [each.topic for each in found.verdict] == ["skill", "next"]
    assert any("No candle has a known label" in each for each in found.warnings)


def test_nothing_was_predicted():
    found = hand([[math.nan] * 3] * 6, [HOLD] * 6)
    assert found.funnel[1].count == 0
    assert sum(found.funnel[1].lost.values()) == 6
    assert found.skill.rows[0].unpredicted == 6


def test_without_candles_and_without_a_rule():
    found = hand([SURE_OF_LONG] * 6, [LONG] * 3 + [HOLD] * 3, candles={}, rule=None, fallback=None)
    assert found.skill.baseline is None
    assert (found.ways[0].long.signals, found.ways[0].long.independent) == (6, None)
    assert len(found.ways) == 1
    assert found.returns is None
    assert found.days[0].close == (None,) * 6
    assert found.entered_from == {"SHORT": None, "LONG": None}
    assert any("no candles" in each for each in found.warnings)


def test_predictions_lie_beside_the_candles_of_their_own_minute():
    """Of six candles the third is not there, and those after it come later in the arrays."""
    walk = by_hand([SURE_OF_LONG] * 6, [LONG] * 6)
    minutes = walks.START // 60 + np.array([-1, 0, 1, 3, 4, 5])
    candles = make_candles(np.arange(1.0, 7.0), minute=minutes)
    (own,) = all_seen(walk, {A: candles}, {}, COSTS)
    assert own.place.tolist() == [1, 2, -1, 3, 4, 5]
    (day,) = find(evidence(walk, candles={A: candles}), NOW).days
    assert day.close == (2, 3, None, 4, 5, 6)


def deal(opened, closed, profit, reason="take_profit"):
    return Deal(
        pair=A,
        side="LONG",
        opened=opened,
        closed=closed,
        open_rate=1.0,
        close_rate=None if closed is None else 1 + profit,
        profit=profit,
        tag="",
        reason=reason,
    )


def test_trades_by_pencil():
    start = walks.START
    deals = (
        deal(start + 60, start + 600, 0.02),
        deal(start + 900, start + 1200, -0.01, "stop_loss"),
        deal(start + 1500, None, None, ""),
    )
    found = hand([SURE_OF_LONG] * 60, [LONG] * 60, deals=deals, deals_lost={"no slot": 4})
    assert (found.deals, found.profit) == (3, pytest.approx(0.01))
    assert found.exits == {"take_profit": 1, "stop_loss": 1}
    assert found.funnel[-1].lost == {"no slot": 4}
    assert found.returns.of == "trades"
    assert sum(found.returns.value) == pytest.approx(0.01)
    assert (found.profit_error, found.profit_days) == (None, 1)
    (day,) = found.days
    assert day.deals == deals
    assert day.probabilities["LONG"] == (0.7,) * 60


def test_trades_of_a_day_are_one_piece_of_evidence():
    """By pencil: two pairs that did alike on three days tell as much as three trades.

    Deviations of a day from the mean of 0.01 add up to 0.02, 0 and -0.02, so the error is the root
    of 3 / 2 * 2 * 0.02 ** 2, over six trades. As if all six were independent, it were 0.0037.
    """
    deals = tuple(
        deal(walks.START + day * DAY + 60, walks.START + day * DAY + 120, profit)
        for day, profit in enumerate((0.0, 0.01, 0.02))
        for _ in range(2)
    )
    found = hand([SURE_OF_LONG] * 60, [LONG] * 60, deals=deals)
    assert (found.deals, found.profit) == (6, pytest.approx(0.06))
    assert found.profit_error == pytest.approx(math.sqrt(3 / 2 * 2 * 0.02**2) / 6)
    assert found.profit_days == 3


def test_returns_of_signals_are_those_of_the_independent_ones(found):
    of_sides = [found.ways[1].short, found.ways[1].long]
    # Of two pairs, each with a stake of its own; labels and so signals are known to the end here.
    total = sum(each.value * each.independent for each in of_sides) / 2
    assert sum(found.returns.value) == pytest.approx(total)
    assert found.returns.of == "signals"
    assert all(date % DAY == 0 for date in found.returns.date)
    assert np.diff(found.returns.date).tolist() == [DAY] * (len(found.returns.date) - 1)


def test_the_day_that_is_asked_for_is_shown():
    asked = walks.START // DAY * DAY
    shown = find(evidence(day=asked + 3600), NOW).days
    assert [day.pair for day in shown] == [A, "B/USDT"]
    assert all(asked <= moment < asked + DAY for day in shown for moment in day.date)
    assert len(shown[0].date) == len(shown[0].close) == len(shown[0].probabilities["HOLD"]) > 100
    assert find(evidence(day=90 * DAY), NOW).days == ()


def test_several_that_were_tried_are_judged_for_luck():
    walk = walked(walks.settings())
    other = walked(walks.settings(stride=3, penalty=1.0))
    trials = find(evidence(walks={"toy": walk, "other": other}), NOW).trials
    assert trials.tried == 2
    assert trials.overfitting is None  # of less than eight days
    assert any("eight days" in note for note in trials.notes)


def test_luck_is_that_of_daily_losses_and_daily_returns():
    """Twelve days and three who predict at random; the first one is judged."""
    rng, n = np.random.default_rng(5), 12 * 1440
    candles = {A: random_candles(720 + n + 20, 5)}
    labels = rng.integers(0, 3, n).tolist()
    tried = {
        name: by_hand(rng.dirichlet([2, 2, 2], n).tolist(), labels, 12) for name in ("a", "b", "c")
    }
    rule = Thresholds(0.75, 0.75, 0.75)
    found = find(evidence(walks=tried, candles=candles, rule=rule), NOW)
    assert found.trials.overfitting == probability_of_overfitting(daily_losses(tried))
    returns = [
        find(evidence(walks={name: walk}, candles=candles, rule=rule), NOW).returns.value
        for name, walk in tried.items()
    ]
    sharpes = [sharpe_of(np.array(each)) for each in returns]
    expected = deflated_sharpe(np.array(returns[0]), sharpes, 3)
    assert found.trials.deflated_sharpe == pytest.approx(expected)
    assert len({*sharpes}) == 3


@pytest.mark.parametrize(("n", "is_said"), [(9, False), (10, True)])
def test_a_sharpe_ratio_takes_returns_on_ten_days(n, is_said):
    """One signal at noon on each of the first days, which fees alone make differ from 0."""
    p = np.tile(SURE_OF_HOLD, (12 * 1440, 1))
    p[720 + 1440 * np.arange(n)] = SURE_OF_LONG
    walk = by_hand(p.tolist(), [HOLD, LONG, SHORT, HOLD] * 3 * 1440)
    candles = {A: random_candles(720 + len(p) + 20, 5)}
    found = find(
        evidence(walks={"a": walk, "b": walk}, candles=candles, rule=Thresholds(0.5, 0.5, 0.5)), NOW
    )
    assert np.count_nonzero(found.returns.value) == n
    assert (found.trials.deflated_sharpe is not None) == is_said
    assert any("on 10 days at least" in note for note in found.trials.notes) != is_said


def test_without_the_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "purgedcv", None)
    walk = walked(walks.settings())
    trials = find(evidence(walks={"toy": walk, "again": walk}), NOW).trials
    assert trials.overfitting is trials.deflated_sharpe is None
    assert "pip install" in trials.notes[0]


def test_one_with_other_windows_is_named_and_left_out():
    walk = walked(walks.settings())
    fewer = walk._replace(folds=[fold._replace(stop=fold.stop - 60) for fold in walk.folds])
    found = find(evidence(walks={"toy": walk, "fewer": fewer}), NOW)
    assert "fewer" not in {rung.name for rung in found.skill.ladder}
    assert any("fewer predicts other windows" in each for each in found.warnings)


def test_smoothed_labels_of_a_delta_that_trainings_find():
    labels = SmoothedLabelSettings()
    settings = walks.settings("trend").model_copy(update={"labels": labels})
    walk = walked(settings)
    found = find(evidence(walk, rule=Thresholds(0.4, 0.4, 0.4)), NOW)
    assert found.skill.baseline == "trend"
    assert found.subject.break_even == {"SHORT": None, "LONG": None}
    assert "smoothed" in found.subject.labels
    assert found.ways[1].long.needed is None
    assert found.skill.mean.mean > 0.05  # half of it has happened
