"""What is said for which numbers: the tone must be that of the evidence."""

import numpy as np
import pytest
from examples_findings import live, poor, rich, signals, way

from dualwindow.judging.advice import n_blocks
from dualwindow.judging.baseline import Foreseen
from dualwindow.judging.cautions import cautions
from dualwindow.judging.comparison import block_interval, blocks_of
from dualwindow.judging.findings import Measured, Parity, Step, Trials
from dualwindow.judging.questions import foresight
from dualwindow.judging.verdict import verdict

SURE = Measured(mean=0.06, low=0.03, high=0.09)
NOISE = Measured(mean=0.01, low=-0.02, high=0.04)
NOTHING = Measured(mean=0.001, low=-0.004, high=0.006)
WORSE = Measured(mean=-0.05, low=-0.08, high=-0.02)
FEW = Measured(mean=0.06, low=None, high=None)
ASKED = Foreseen("ranges", np.empty((0, 3)), (30.0, 30.0), {})
CONFUSION = ((40, 60, 0), (50, 900, 50), (0, 60, 40))


def found(mean=SURE, against=SURE, touch=0.1, direction=0.0, short=None, long=None, **more):
    """Twelve windows of two pairs, in all of which each question is foreseen as much as said."""
    plain = rich()
    rng = np.random.default_rng(0)
    rows = tuple(
        row.model_copy(
            update={
                "touch": touch + rng.normal(0, 0.01),
                "direction": direction + rng.normal(0, 0.01) - 0.002,
            }
        )
        for row in plain.skill.rows
    )
    skill = plain.skill.model_copy(
        update={
            "mean": mean,
            "against_baseline": against,
            "touch": touch,
            "direction": direction + 0.001,  # above 0, though its windows may not be
            "rows": rows,
        }
    )
    rule = way("mine", CONFUSION).model_copy(
        update={"short": short or paying(), "long": long or paying()}
    )
    plain_ones = {"skill": skill, "ways": (plain.ways[0], rule), "trials": None, "thresholds": {}}
    return plain.model_copy(update=plain_ones | more)


def paying(value=0.002, error=0.0005, independent=200, n=900, hit=0.5, days=40):
    worth = {"value": value, "error": error, "days": days}
    return signals(None, 0.1, n).model_copy(
        update={"independent": independent, "hit_rate": hit, **worth}
    )


LOSING = paying(-0.001)


def said(of):
    return {each.topic: each for each in verdict(of)}


@pytest.mark.parametrize(
    ("mean", "tone", "words"),
    [
        (SURE, "good", "foresees something: skill +0.060 (+0.030 to +0.090)"),
        (NOISE, "neutral", "cannot be told from chance yet"),
        (NOTHING, "bad", "no more than chance"),
        (WORSE, "bad", "worse than quoting"),
        (FEW, "neutral", "too few windows"),
        (Measured(mean=None, low=None, high=None), "neutral", "Nothing can be judged"),
    ],
)
def test_skill(mean, tone, words):
    sentence = said(found(mean=mean))["skill"]
    assert sentence.tone == tone
    assert words in sentence.text


@pytest.mark.parametrize(
    ("against", "tone", "words"),
    [
        (SURE, "good", "more than noise"),
        (NOISE, "neutral", "Whether it is better than three numbers (kind ranges) cannot be told"),
        (NOTHING, "neutral", "No better than three numbers (kind ranges)"),
        (WORSE, "bad", "Worse than"),
        (FEW, "neutral", "of so few windows"),
        (None, "neutral", "could not be asked"),
    ],
)
def test_against_three_numbers(against, tone, words):
    sentence = said(found(against=against))["baseline"]
    assert sentence.tone == tone
    assert words in sentence.text


@pytest.mark.parametrize(
    ("touch", "direction", "expected", "tone", "words"),
    [
        (0.1, 0.1, ("yes", "yes"), "good", "both"),
        (0.1, 0.0, ("yes", "no"), "neutral", "volatility, not direction"),
        (0.0, 0.1, ("no", "yes"), "neutral", "which way"),
        (0.0, 0.0, ("no", "no"), "bad", "neither"),
        (-0.1, -0.1, ("no", "no"), "bad", "neither"),
    ],
)
def test_touch_and_direction_are_told_apart(touch, direction, expected, tone, words):
    of = found(touch=touch, direction=direction)
    assert tuple(each.state for each in foresight(of)) == expected
    sentence = said(of)["direction"]
    assert sentence.tone == tone
    assert words in sentence.text


def test_of_few_windows_nothing_is_called_foreseen():
    sentence = said(found(mean=FEW, touch=0.055))["direction"]
    assert sentence.tone == "neutral"
    assert sentence.text.startswith("Of so few windows neither whether")
    assert sentence.text.endswith("nor which way can be told (+0.055, +0.001).")


def test_a_question_of_wide_interval_cannot_be_told():
    of = found()
    rows = tuple(
        row.model_copy(update={"direction": 0.2 * (-1) ** (i // 2) + 0.02})
        for i, row in enumerate(of.skill.rows)
    )
    of = of.model_copy(update={"skill": of.skill.model_copy(update={"rows": rows})})
    assert [each.state for each in foresight(of)] == ["yes", "cannot tell"]
    sentence = said(of)["direction"]
    assert sentence.tone == "neutral"
    assert "Cannot be told yet: which way, +0.001 (-0." in sentence.text


@pytest.mark.parametrize(
    ("value", "error", "hit", "tone"),
    [
        (0.002, 0.0005, 0.5, "good"),
        (0.002, 0.0005, 0.3, "good"),  # most end at the horizon
        (0.002, 0.0015, 0.5, "neutral"),
        (-0.002, 0.0005, 0.5, "bad"),
        (-0.002, 0.0015, 0.5, "neutral"),
        (-0.002, 0.0015, 0.3, "neutral"),  # nor is a hit rate below the needed one a loss
        (0.002, 0.0015, 0.3, "neutral"),
        (0.002, None, 0.5, "neutral"),
    ],
)
def test_the_tone_of_signals_is_that_of_their_value(value, error, hit, tone):
    each = paying(value=value, error=error, hit=hit)
    told = said(found(short=each, long=each))
    assert (told["long"].tone, told["short"].tone) == (tone, tone)
    assert "900 LONG signals, 200 of them independent" in told["long"].text
    words = f"{100 * hit:.0f} % come true, 40 % needed if every miss were a full stop, 10 % by"
    assert words in told["long"].text
    is_by_closes = "it pays by closes at the horizon, not by take-profits" in told["long"].text
    assert is_by_closes == (tone == "good" and hit < 0.4)


@pytest.mark.parametrize(("days", "good", "bad"), [(5, "neutral", "neutral"), (10, "good", "bad")])
def test_of_few_days_more_errors_are_asked_for(days, good, bad):
    """Student's t: 2.78 of five days, 2.26 of ten."""
    long, short = (paying(sign * 0.00125, 0.0005, days=days) for sign in (1, -1))
    told = said(found(short=short, long=long))
    assert (told["long"].tone, told["short"].tone) == (good, bad)
    assert "worth +0.12 % each (standard error 0.05)" in told["long"].text
    is_advised = "try it on a later timerange" in told["next"].text
    assert is_advised == (good == "good")


def test_who_cannot_short_is_told_so_once():
    of = found()
    way = of.ways[1].model_copy(update={"short": None})
    subject = of.subject.model_copy(update={"can_short": False})
    told = [each.topic for each in verdict(of)]
    alone = verdict(of.model_copy(update={"ways": (of.ways[0], way), "subject": subject}))
    assert [each.topic for each in alone if each.topic != "sides"] == [
        topic for topic in told if topic != "short"
    ]
    (sides,) = [each for each in alone if each.topic == "sides"]
    assert sides.text.startswith("Signals are those of LONG alone, because the strategy cannot")
    assert "sides" not in told


def test_each_direction_has_a_tone_of_its_own():
    told = said(found(short=LOSING, long=paying()))
    assert (told["long"].tone, told["short"].tone) == ("good", "neutral")


@pytest.mark.parametrize("more", [{"independent": 29}, {"independent": 200, "busiest": 29}])
@pytest.mark.parametrize("value", [-0.01, 0.01])
def test_of_a_handful_of_signals_neither_is_called_good_or_bad(value, more):
    each = paying(value=value, hit=0.0).model_copy(update=more)
    sentence = said(found(short=each, long=each))["long"]
    assert sentence.tone == "neutral"
    assert "too few to judge" in sentence.text
    assert "it pays" not in sentence.text


@pytest.mark.parametrize(
    ("passing", "entered", "words"),
    [
        (0, 0, "entered nowhere: no probability passes SHORT 0.40 and LONG 0.35"),
        (7, 0, "entered nowhere: the host refused all 7 candles"),
        (7, 3, "Of 3 entries, none has a known label yet"),
    ],
)
def test_no_signals_names_what_took_them(passing, entered, words):
    none = signals(None, 0.1, 0)
    counts = {"predicted": 90, "sure enough": passing, "not refused by the host": entered}
    steps = tuple(Step(name=name, count=n, lost={}) for name, n in counts.items())
    told = said(found(short=none, long=none, funnel=steps))
    assert words in told["signals"].text
    assert not {"long", "short"} & told.keys()


@pytest.mark.parametrize(
    ("ended", "profit", "error", "days", "tone"),
    [
        (40, 0.4, 0.004, 10, "good"),
        (40, -0.4, 0.004, 10, "bad"),
        (40, 0.4, 0.004, 5, "neutral"),  # Student's t: 2.78 of five days, 2.26 of ten
        (40, -0.4, 0.004, 5, "neutral"),
        (40, 0.4, None, 1, "neutral"),
        (29, 0.29, 0.001, 10, "neutral"),
    ],
)
def test_trades_are_divided_by_those_that_ended(ended, profit, error, days, tone):
    worth = {"profit": profit, "profit_error": error, "profit_days": days}
    of = found(deals=ended + 2, exits={"roi": ended}, **worth)
    sentence = said(of)["trades"]
    assert sentence.tone == tone
    assert sentence.text.startswith(f"{ended} trades brought")
    assert f"{100 * profit / ended:+.2f}" in sentence.text
    wide = "" if error is None else f" (standard error {100 * error:.2f})"
    assert sentence.text.endswith(f" % each{wide}; 2 more are open.")


def test_trades_that_are_all_open():
    text = said(found(deals=1, exits={}, profit=None))["trades"].text
    assert text == "1 trade open, none has ended."


def test_a_better_threshold_beats_entering_everywhere():
    """All pay alike, so none of them is better; it is not the first that pays."""
    rows = tuple(paying(0.002).model_copy(update={"threshold": x}) for x in (0.05, 0.4))
    of = found(short=LOSING, long=LOSING, direction=0.1, thresholds={"LONG": rows})
    assert "would have paid" not in verdict(of)[-1].text
    best = paying(0.009).model_copy(update={"threshold": 0.6})
    short = (LOSING, paying(0.004).model_copy(update={"threshold": 0.5}))
    of = of.model_copy(update={"thresholds": {"SHORT": short, "LONG": (*rows, best)}})
    assert "LONG would have paid from a probability of 0.60 on, the best of 5 thr" in (
        verdict(of)[-1].text
    )


@pytest.mark.parametrize(
    ("more", "words", "tone"),
    [
        ({"mean": NOISE}, "predict more windows", "neutral"),
        ({"mean": NOTHING, "short": LOSING, "long": LOSING}, "do not trade it", "bad"),
        ({"mean": NOTHING}, "try another `calibration`", "neutral"),
        ({"mean": FEW}, "predict more windows", "neutral"),
        ({"against": NOTHING}, "take kind ranges", "neutral"),
        ({"against": NOISE}, "later timerange", "good"),
        ({}, "later timerange", "good"),
        (
            {"short": paying(-0.001), "long": paying(-0.001)},
            "do not bet on its direction",
            "neutral",
        ),
        (
            {"short": LOSING, "long": LOSING, "direction": 0.1},
            "wider barriers",
            "neutral",
        ),
        (
            {"short": paying(0.0015, 0.001), "long": LOSING, "direction": 0.1},
            "do not pay their fees beyond doubt",
            "neutral",
        ),
        (
            {
                "short": paying(-0.001, independent=9),
                "long": paying(0.01, independent=29),
                "direction": 0.1,
            },
            "predict more weeks",
            "neutral",
        ),
        (
            {
                "short": LOSING,
                "long": LOSING,
                "thresholds": {
                    "LONG": (
                        paying(-0.001).model_copy(update={"threshold": 0.4}),
                        paying(0.002).model_copy(update={"threshold": 0.55}),
                    )
                },
            },
            "LONG would have paid from a probability of 0.55 on",
            "neutral",
        ),
    ],
)
def test_what_to_do_next(more, words, tone):
    last = verdict(found(**more))[-1]
    assert (last.topic, last.tone) == ("next", tone)
    assert words in last.text


@pytest.mark.parametrize("mean", [NOTHING, WORSE])
def test_who_pays_without_skill_has_an_order_and_no_size(mean):
    """It is said neither to be traded nor to be thrown away; all that pays is named good above."""
    told = said(found(mean=mean, short=LOSING))
    assert (told["long"].tone, told["next"].tone) == ("good", "neutral")
    assert "try another `calibration`" in told["next"].text
    told = said(found(mean=mean, short=LOSING, long=LOSING))
    assert "do not trade it" in told["next"].text


@pytest.mark.parametrize(
    ("days", "words"), [(1.9993, "2"), (0.04167, "0.0417"), (30.0, "30"), (1095.0, "1095")]
)
def test_days_of_training_are_told_as_a_person_says_them(days, words):
    of = found(mean=NOTHING, short=LOSING, long=LOSING)
    of = of.model_copy(update={"subject": of.subject.model_copy(update={"train_days": days})})
    assert f"Train on more days than {words} (" in verdict(of)[-1].text


def test_windows_of_time_are_counted_once_for_all():
    """Three pairs, begun 40 and 80 hours apart, of which some windows have nothing judged.

    Grouped anew, the nine that are judged would be five blocks, of which nothing can be said.
    """
    row = rich().skill.rows[0]
    starts = np.array([off + 100 * k for off in (0, 40, 80) for k in range(7)])
    judged = np.array([140, 180, 200, 240, 300, 340, 380, 640, 680])
    blocks = blocks_of(starts, starts + 100)
    kept = np.isin(starts, judged)
    assert len(np.unique(blocks_of(judged, judged + 100))) == 5
    n = len(np.unique(blocks[kept]))
    assert n >= 6
    rows = tuple(
        row.model_copy(
            update={
                "start": start,
                "stop": start + 100,
                "block": block,
                "judged": 10 * is_judged,
                "touch": 0.1 + 0.001 * (start % 7) if is_judged else None,
            }
        )
        for start, block, is_judged in zip(
            *(x.tolist() for x in (starts, blocks, kept)), strict=True
        )
    )
    of = found()
    of = of.model_copy(update={"skill": of.skill.model_copy(update={"rows": rows})})
    assert n_blocks(rows) == n
    assert not [each for each in cautions(of, ASKED) if "nothing can be said" in each]
    expected = block_interval(np.array([r.touch for r in rows if r.judged]), blocks[kept])
    between = foresight(of)[0].between
    assert (between.low, between.high) == pytest.approx((expected.low, expected.high))


def test_the_baseline_is_not_told_to_become_the_baseline():
    of = found(against=NOTHING)
    assert of.subject.kind != of.skill.baseline == "ranges"
    assert "take kind ranges" in verdict(of)[-1].text
    itself = of.model_copy(update={"subject": of.subject.model_copy(update={"kind": "ranges"})})
    assert "later timerange" in verdict(itself)[-1].text


@pytest.mark.parametrize(
    ("trials", "tone"),
    [
        (Trials(tried=6, overfitting=0.1, deflated_sharpe=0.97, notes=()), "good"),
        (Trials(tried=6, overfitting=0.1, deflated_sharpe=0.5, notes=()), "neutral"),
        (Trials(tried=6, overfitting=0.6, deflated_sharpe=0.97, notes=()), "bad"),
        (Trials(tried=6, overfitting=None, deflated_sharpe=None, notes=("x",)), "neutral"),
    ],
)
def test_luck(trials, tone):
    sentence = said(found(trials=trials))["trials"]
    assert sentence.tone == tone
    assert "among 6" in sentence.text


@pytest.mark.parametrize(
    ("overfitting", "tone"), [(0.2, "good"), (0.21, "neutral"), (0.49, "neutral"), (0.5, "bad")]
)
def test_where_luck_begins(overfitting, tone):
    trials = Trials(tried=6, overfitting=overfitting, deflated_sharpe=None, notes=())
    assert said(found(trials=trials))["trials"].tone == tone


def test_parity():
    of_bot = live()
    assert said(found(live=of_bot))["parity"].tone == "good"
    broken = of_bot.model_copy(
        update={"parity": Parity(checked=9, problems=("3 differ",), notes=())}
    )
    first = verdict(found(live=broken))[0]  # before all else
    assert (first.topic, first.text) == ("parity", "Live and backtest differ: 3 differ")
    unseen = of_bot.model_copy(update={"parity": Parity(checked=0, problems=(), notes=())})
    assert said(found(live=unseen))["parity"].tone == "neutral"


def test_nothing_to_judge_says_so_and_no_more():
    assert [each.topic for each in verdict(poor())] == ["skill", "next"]


@pytest.mark.parametrize(("independent", "is_few"), [(29, True), (30, False)])
def test_a_handful_of_signals_is_told_to_be_one(independent, is_few):
    sentence = said(found(short=paying(independent=independent), long=paying()))["short"]
    assert ("too few to judge" in sentence.text) == is_few
    assert (sentence.tone == "neutral") == is_few


@pytest.mark.parametrize(
    ("days", "failed", "words"),
    [
        ((30.0, 30.0), {}, None),
        ((8.0, 8.0), {}, "from 8 days before each window"),
        ((8.0, 30.0), {}, "from 8 to 30 days before each window"),
        (None, {"there are no candles": 3}, "could not be asked about 3 windows: there are no"),
    ],
)
def test_what_three_numbers_learnt_from_is_told_where_it_is_less(days, failed, words):
    asked = ASKED._replace(days=days, failed=failed)
    told = [each for each in cautions(found(), asked) if "Three numbers" in each]
    assert len(told) == (words is not None)
    assert words is None or words in told[0]


def with_rows(*changes):
    """Ten windows of a hundred candles, all predicted, of which the first are changed."""
    of, plain = found(), {"judged": 100, "unpredicted": 0, "start": 0, "stop": 6000}
    rows = [
        row.model_copy(update=plain | (changes[i] if i < len(changes) else {}))
        for i, row in enumerate(of.skill.rows[:10])
    ]
    return of.model_copy(update={"skill": of.skill.model_copy(update={"rows": tuple(rows)})})


@pytest.mark.parametrize(("n", "is_told"), [(100, False), (101, True)])
def test_more_than_a_tenth_without_a_prediction_is_told(n, is_told):
    of = with_rows({"judged": 0}, {"judged": 100 - (n - 100), "unpredicted": n})
    told = [each for each in cautions(of, ASKED) if "have no prediction" in each]
    assert told == ["10 % of the candles have no prediction; the funnel says why."] * is_told


@pytest.mark.parametrize(("changes", "n"), [((), 0), ([{"stop": 5940}, {"stop": 60}], 2)])
def test_windows_that_are_shorter_are_counted(changes, n):
    told = [each for each in cautions(with_rows(*changes), ASKED) if "shorter" in each]
    assert told == [f"{n} of 10 windows are shorter than the others."] * bool(n)
