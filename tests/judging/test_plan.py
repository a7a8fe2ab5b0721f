from dataclasses import replace

import numpy as np
import pytest
import walks
from examples import make_candles, random_candles

from dualwindow.judging import plan as module
from dualwindow.judging.foreseen import Foreseen, Span, foresee, spread, windows_of
from dualwindow.judging.out_of_sample import fold_scores
from dualwindow.judging.plan import Asked, PlanError, plan
from dualwindow.judging.plan_rows import Known, Terms, in_order, row
from dualwindow.judging.planned import Plan
from dualwindow.judging.survey import Point, Surveyed, labels_by
from dualwindow.judging.three_numbers import baseline_settings
from dualwindow.learning.parallel import Workers, run_tasks
from dualwindow.market.labels import Barriers, Labelling
from dualwindow.settings import Settings

POINT = Point(Barriers(0.006, 0.003, 0.006, 0.003), 12)
NEAR = Point(Barriers(0.003, 0.003, 0.003, 0.003), 6)
DAY = 86400


def asked(points=(POINT, NEAR), **changes) -> Asked:
    known = Asked(walks.settings(), points, POINT, 0.001, 0.5, 0.1, 3, Workers())
    return replace(known, **changes)


def test_foresees_what_ranges_do_in_a_walk_forward(tmp_path):
    # A plan has no features, of which one that is unknown would spoil a window.
    pairs = [replace(pair, features=np.zeros_like(pair.features)) for pair in walks.pairs()]
    walk = walks.walk(tmp_path, given=pairs)
    spans = sorted({Span(fold.train_from, fold.start, fold.stop) for fold in walk.folds})
    expected = {
        (fold.pair, spans.index(Span(fold.train_from, fold.start, fold.stop))): scores
        for fold, _, scores in fold_scores(walk)
    }
    labelling = Labelling.of(walks.settings())
    point = Point(labelling.barriers, walks.HORIZON)
    windows = windows_of({pair.pair: pair.candles for pair in pairs}, spans, walks.HORIZON)
    found = {}
    for window in windows:
        (found[window.pair, window.number],) = foresee(window, [point], walks.settings())
    assert found.keys() == expected.keys()
    assert len(found) == 8
    for key, scores in expected.items():
        assert found[key].candles == scores.candles
        assert found[key].skill == pytest.approx(scores.skill, abs=1e-6)
        assert found[key].split == pytest.approx(scores.split, abs=1e-6)
        assert found[key].quoted == pytest.approx(scores.split_of_frequencies, abs=1e-6)


@pytest.mark.parametrize(
    ("days", "n", "starts"),
    [
        pytest.param(30, 3, [10, 17, 25], id="evenly"),
        pytest.param(30, 9, [10, 15, 20, 25], id="no-more-than-fit-side-by-side"),
        pytest.param(30, 1, [25], id="one-is-the-newest"),
        pytest.param(12, 3, [10], id="a-shorter-one-where-there-is-no-room"),
        pytest.param(10, 3, [], id="nothing-to-predict"),
    ],
)
def test_windows_are_spread_over_the_time(days, n, starts):
    found = spread(1000, 1000 + days * DAY - 60, 60, 10, 5, n)
    assert [(span.start - 1000) // DAY for span in found] == starts
    for span in found:
        assert span.start - span.train_from == 10 * DAY
        assert (span.start - 1000) % 60 == 0
        assert span.stop <= 1000 + days * DAY


def known(counts, to_touch=100, independent=(40, 30), skills=(0.1, 0.2, 0.3)) -> Known:
    surveyed = Surveyed(np.array(counts), to_touch, independent)
    seen = {
        ("A", i): Foreseen(skill, np.array([0.3, 0.1]), np.array([0.5, 0.1]), 10)
        for i, skill in enumerate(skills)
    }
    return Known({"A": surveyed}, seen)


TERMS = Terms(POINT, 0.001, 60, 500, is_shared=True)


def test_row_by_pencil():
    found = row(POINT, known([10, 980, 10]), TERMS)
    assert found.is_configured
    assert found.candles == 1000
    assert found.shares == {"SHORT": 0.01, "HOLD": 0.98, "LONG": 0.01}
    # (0.003 + 0.001) / 0.009, and 0.003 / 0.009 by chance
    assert found.break_even["LONG"] == pytest.approx(4 / 9)
    assert found.dearer == pytest.approx(1 / 9)
    assert found.candles_to_touch == 5
    assert found.hours_to_touch == pytest.approx(5 / 60)
    # 1000 candles are two trainings of 500
    assert found.moves == {"SHORT": 20, "LONG": 15}
    assert found.skill == pytest.approx(0.2)
    assert found.error == pytest.approx(0.1 / 3**0.5)
    assert found.touch == pytest.approx(0.4)
    assert found.direction == pytest.approx(0)
    assert found.windows == 3


@pytest.mark.parametrize(
    ("changes", "point", "hint"),
    [
        pytest.param({"independent": (40, 40)}, POINT, "fees", id="eleven-points-above-chance"),
        pytest.param({"independent": (40, 38)}, POINT, "few moves", id="nineteen-are-too-few"),
        pytest.param(
            {"independent": (40, 40), "skills": (0.1, 0.2, 0.3) * 2},
            Point(Barriers(0.02, 0.01, 0.02, 0.01), 12),
            "worth a training",
            id="nothing-against-it",
        ),
        pytest.param(
            {"independent": (40, 40), "skills": (0.3,) * 5},
            Point(Barriers(0.02, 0.01, 0.02, 0.01), 12),
            "too few windows",
            id="five-windows",
        ),
        pytest.param(
            {"independent": (40, 40), "skills": (0.3,)},
            Point(Barriers(0.02, 0.01, 0.02, 0.01), 12),
            "too few windows",
            id="one-window-has-no-error",
        ),
        pytest.param(
            {"independent": (40, 40), "skills": (0.1, -0.1, 0.02) * 2},
            Point(Barriers(0.02, 0.01, 0.02, 0.01), 12),
            "nothing foreseen",
            id="within-two-errors-of-0",
        ),
        pytest.param(
            {"independent": (40, 40), "skills": (0.22, -0.02, 0.1) * 2},
            Point(Barriers(0.02, 0.01, 0.02, 0.01), 12),
            "nothing foreseen",
            id="two-errors-of-six-windows-are-too-few",  # 2.28, of 2.57
        ),
        pytest.param(
            {"independent": (40, 40), "skills": ()},
            Point(Barriers(0.02, 0.01, 0.02, 0.01), 12),
            "not asked",
            id="no-window",
        ),
    ],
)
def test_hints(changes, point, hint):
    assert row(point, known([10, 980, 10], **changes), TERMS).hint == hint


def test_what_pairs_do_in_the_same_weeks_is_one_piece_of_evidence():
    both = known([10, 980, 10])
    both.surveyed["B"] = both.surveyed["A"]
    for (_, span), one in list(both.foreseen.items()):
        both.foreseen["B", span] = one._replace(skill=one.skill + 0.2)
    found = row(POINT, both, TERMS)
    assert found.windows == 3
    assert found.skill == pytest.approx(0.3)
    assert found.error == pytest.approx(0.1 / 3**0.5)  # not that of six
    # Both have two trainings of 500 candles each. Where pairs share them, B sees no other moves.
    assert found.moves == {"SHORT": 20, "LONG": 15}
    both.surveyed["B"] = both.surveyed["A"]._replace(independent=(10, 50))
    assert row(POINT, both, TERMS).moves == {"SHORT": 20, "LONG": 25}
    alone = row(POINT, both, TERMS._replace(is_shared=False))
    assert alone.moves == {"SHORT": 12.5, "LONG": 20}
    assert row(POINT, both.of("A"), TERMS) == row(POINT, known([10, 980, 10]), TERMS)


def test_those_worth_a_training_come_first_and_the_most_skilful_of_them():
    far = Point(Barriers(0.02, 0.01, 0.02, 0.01), 12)
    moves = {"independent": (40, 40)}
    rows = [
        (far, row(far, known([10, 980, 10], **moves, skills=skills), TERMS), known([1, 1, 1]))
        for skills in ((), (0.1, 0.11, 0.12) * 2, (0.2, 0.21, 0.22) * 2, (-0.1, 0.1, 0.0) * 2)
    ]
    hints = [(each.hint, each.skill) for _, each, _ in in_order(rows)]
    assert [hint for hint, _ in hints] == ["worth a training"] * 2 + [
        "not asked",
        "nothing foreseen",
    ]
    assert hints[0][1] > hints[1][1]


def test_a_plan_of_two_pairs_is_that_of_each_and_reads_back_as_written():
    pairs = {pair.pair: pair.candles for pair in walks.pairs()}
    found = plan(pairs, asked(), now=1.0)
    assert Plan.from_json(found.to_json()) == found
    assert [r.is_configured for r in found.rows].count(True) == 1
    assert found.windows == 3
    assert found.pairs == ("A/USDT", "B/USDT")
    n_compared = 0
    for pair, candles in pairs.items():
        alone = {
            (r.horizon, r.long_take_profit): r for r in plan({pair: candles}, asked(), 1.0).rows
        }
        for mine in found.of_pairs[pair]:
            assert mine == alone[mine.horizon, mine.long_take_profit]
            n_compared += 1
    assert n_compared == 4
    for both, a, b in zip(found.rows, *found.of_pairs.values(), strict=True):
        assert both.candles == a.candles + b.candles
        assert both.moves["LONG"] == pytest.approx((a.moves["LONG"] + b.moves["LONG"]) / 2)


def test_the_order_in_which_windows_are_finished_changes_nothing(monkeypatch):
    pairs = {pair.pair: pair.candles for pair in walks.pairs()}
    before = plan(pairs, asked(), now=1.0)

    def last_first(*arguments):
        return reversed(list(run_tasks(*arguments)))

    monkeypatch.setattr(module, "run_tasks", last_first)
    assert plan(pairs, asked(), now=1.0) == before


def test_a_market_without_moves_has_a_row_and_no_skill():
    candles = make_candles(np.full(1000, 100.0))
    (found,) = plan({"A": candles}, asked(points=[POINT]), now=1.0).rows
    assert (found.hint, found.skill, found.windows) == ("few moves", None, 0)
    assert found.shares["HOLD"] == 1
    assert found.candles_to_touch is None


@pytest.mark.parametrize("n", [1, 12])
def test_too_few_candles_are_refused(n):
    with pytest.raises(PlanError, match=f"no candle of {n} can be labelled"):
        plan({"A": random_candles(n, 0)}, asked(points=[POINT]), now=1.0)


def test_a_time_shorter_than_a_training_is_told_and_the_rest_is_said():
    found = plan({"A": random_candles(700, 0)}, asked(), now=1.0)
    assert found.windows == 0
    assert found.rows[0].candles > 600
    assert "there are 0.5 days of candles, and a training of 0.5 days needs" in found.notes[0]


def test_a_pair_that_is_not_there_all_the_time_is_named_with_the_reason():
    whole = random_candles(1200, 0)  # of a minute: trainings of 0.5 days, windows of 0.1
    found = plan(
        {
            "A": whole,
            "LATE": whole[300:],
            "SHORT": whole[:900],
            "YOUNG": whole[1000:],
        },
        asked(points=[POINT]),
        now=1.0,
    )
    assert found.windows == 3  # trainings from candle 0, 168 and 336 on
    assert [(one.pair, one.windows) for one in found.absent] == [
        ("LATE", 2),
        ("SHORT", 1),
        ("YOUNG", 3),
    ]
    late, short, _ = (one.why for one in found.absent)
    assert late == (
        "its candles begin on 1970-01-01, and a window is predicted after 0.5 days of training"
    )
    assert short == "its candles end on 1970-01-01"
    assert f"LATE has no part in 2 of 3 windows: {late}" in found.notes
    assert sum("has no part" in note for note in found.notes) == 3
    assert Plan.from_json(found.to_json()).absent == found.absent


def test_a_gap_where_a_training_begins_is_named_and_one_within_is_none():
    whole, each = random_candles(1200, 0), np.arange(1200)
    pairs = {"A": whole, "AT": whole[each != 168], "WITHIN": whole[each != 169]}
    (one,) = plan(pairs, asked(points=[POINT]), now=1.0).absent
    assert (one.pair, one.windows) == ("AT", 1)
    assert one.why == "candles are missing, of the window or where the training begins"


def test_the_configured_labels_are_those_of_the_settings():
    settings = Settings()
    point = Point(Labelling.of(settings).barriers, settings.horizon)
    candles = random_candles(3000, 1)
    (found,) = labels_by(candles, [point], settings.labels.rule, settings.max_untraded)
    np.testing.assert_array_equal(found, Labelling.of(settings).label(candles))
    assert baseline_settings(settings).model.kind == "ranges"


def test_a_window_with_an_outage_before_it_is_labelled_as_in_the_whole():
    """Cut out, a run without volume begins later; inside a horizon it is as long."""
    candles = random_candles(1500, 3)
    volume = candles.volume.copy()
    volume[395:412] = volume[690:700] = volume[730:760] = 0
    candles = replace(candles, volume=volume)
    (window,) = windows_of({"A": candles}, [Span(400 * 60, 720 * 60, 820 * 60)], 30)
    assert (window.n_train, window.n_predict, len(window.candles)) == (320, 100, 450)
    point = Point(POINT.barriers, 30)
    (part,), (whole,) = (
        labels_by(each, [point], "exclusive", 5) for each in (window.candles, candles)
    )
    np.testing.assert_array_equal(part[:420], whole[400:820])
    assert (whole[400:820] < 0).sum() > 50
