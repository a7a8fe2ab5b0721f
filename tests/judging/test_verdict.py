"""What is said for which numbers: the tone must be that of the evidence."""

import numpy as np
import pytest
from examples_findings import live, poor, rich, signals, way

from dualwindow.judging.baseline import Foreseen
from dualwindow.judging.cautions import cautions
from dualwindow.judging.findings import Measured, Parity, Trials
from dualwindow.judging.verdict import foresight, verdict

SURE = Measured(mean=0.06, low=0.03, high=0.09)
NOISE = Measured(mean=0.01, low=-0.02, high=0.04)
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


def paying(value=0.002, error=0.0005, independent=200, n=900, hit=0.5):
    return signals(None, 0.1, n).model_copy(
        update={"value": value, "error": error, "independent": independent, "hit_rate": hit}
    )


LOSING = paying(-0.001)


def said(of):
    return {each.topic: each for each in verdict(of)}


@pytest.mark.parametrize(
    ("mean", "tone", "words"),
    [
        (SURE, "good", "foresees something: skill +0.060 (+0.030 to +0.090)"),
        (NOISE, "bad", "no more than chance"),
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
        (NOISE, "neutral", "No better than three numbers (kind ranges)"),
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
        (0.1, 0.1, (True, True), "good", "both"),
        (0.1, 0.0, (True, False), "neutral", "volatility, not direction"),
        (0.0, 0.1, (False, True), "neutral", "which way"),
        (0.0, 0.0, (False, False), "bad", "neither"),
        (-0.1, -0.1, (False, False), "bad", "neither"),
    ],
)
def test_touch_and_direction_are_told_apart(touch, direction, expected, tone, words):
    of = found(touch=touch, direction=direction)
    assert foresight(of) == expected
    sentence = said(of)["direction"]
    assert sentence.tone == tone
    assert words in sentence.text


@pytest.mark.parametrize(
    ("value", "error", "tone"),
    [(0.002, 0.0005, "good"), (0.002, 0.0015, "neutral"), (-0.002, 0.0005, "bad")],
)
def test_signals_pay_only_beyond_two_standard_errors(value, error, tone):
    each = paying(value=value, error=error)
    sentence = said(found(short=each, long=each))["signals"]
    assert sentence.tone == tone
    assert "resting on 400 independent ones" in sentence.text


@pytest.mark.parametrize(("hit", "tone"), [(0.41, "good"), (0.39, "bad")])
def test_hit_rates_stand_beside_what_fees_need(hit, tone):
    each = paying(hit=hit)
    sentence = said(found(short=each, long=each))["hits"]
    assert sentence.tone == tone
    assert f"{100 * hit:.0f} %, 40 % needed after fees, 10 % by chance" in sentence.text


def test_of_a_handful_of_signals_neither_is_called_good_or_bad():
    each = paying(value=-0.01, hit=0.0, independent=29)
    told = said(found(short=each, long=each))
    assert (told["hits"].tone, told["signals"].tone) == ("neutral", "neutral")


def test_no_signals():
    none = signals(None, 0.1, 0)
    told = said(found(short=none, long=none))
    assert "entered nowhere: no probability passes SHORT 0.40 and LONG 0.35" in told["signals"].text
    assert "hits" not in told


@pytest.mark.parametrize(
    ("more", "words", "tone"),
    [
        ({"mean": NOISE}, "do not trade it", "bad"),
        ({"mean": FEW}, "predict more windows", "neutral"),
        ({"against": NOISE}, "take kind ranges", "neutral"),
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


def test_parity():
    of_bot = live()
    assert said(found(live=of_bot))["parity"].tone == "good"
    broken = of_bot.model_copy(
        update={"parity": Parity(checked=9, problems=("3 differ",), notes=())}
    )
    assert said(found(live=broken))["parity"].text == "Live and backtest differ: 3 differ"
    unseen = of_bot.model_copy(update={"parity": Parity(checked=0, problems=(), notes=())})
    assert said(found(live=unseen))["parity"].tone == "neutral"


def test_nothing_to_judge_says_so_and_no_more():
    assert [each.topic for each in verdict(poor())] == ["skill", "next"]


@pytest.mark.parametrize(("independent", "is_warned"), [(29, True), (30, False)])
def test_a_handful_of_signals_is_warned_of(independent, is_warned):
    of = found(short=paying(independent=independent), long=paying())
    told = [each for each in cautions(of, ASKED) if each.startswith("SHORT: 900 signals are only")]
    assert bool(told) == is_warned


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
