"""The baseline of smoothed labels: the close against its means, beside the ranges."""

import numpy as np
import pytest
from examples import make_candles, random_candles

from dualwindow.learning.metrics import log_loss, skill
from dualwindow.market.labels import Barriers, Labelling, Smoothed
from dualwindow.market.moves import smoothed_moves, typical_move
from dualwindow.market.summaries import closes_to_means, mean_log_ranges
from dualwindow.models import ranges, trend
from dualwindow.models.classifier import Hooks
from dualwindow.samples.balancing import class_frequencies
from dualwindow.samples.data import Rows, Samples
from dualwindow.settings import RangesSettings, TrendSettings

SPANS = (1, 5, 30)


def test_a_close_is_held_against_the_mean_of_those_up_to_it(seed):
    candles, ends = random_candles(200, seed), np.arange(29, 200, 7)
    found = closes_to_means(candles, ends, SPANS)
    for row, t in enumerate(ends):
        for column, span in enumerate(SPANS):
            mean = np.mean([candles.close[t - k] for k in range(span)])
            assert found[row, column] == pytest.approx(candles.close[t] / mean - 1, abs=1e-13)
    assert (found[:, 0] == 0).all()


def test_an_unknown_price_is_no_number():
    close = np.full(20, 100.0)
    close[10] = -1.0
    found = closes_to_means(make_candles(close), np.arange(4, 20), (5,))
    assert np.flatnonzero(np.isnan(found[:, 0])).tolist() == [6, 7, 8, 9, 10]


def test_inputs_are_trends_and_ranges(seed):
    candles, ends = random_candles(100, seed), np.arange(29, 100)
    both = trend.trends_and_ranges(candles, ends, SPANS)
    np.testing.assert_array_equal(both[:, :3], closes_to_means(candles, ends, SPANS))
    np.testing.assert_array_equal(both[:, 3:], mean_log_ranges(candles, ends, SPANS))


def test_it_finds_the_half_of_a_smoothed_label_that_has_happened(seed):
    """On a random walk the future tells nothing, and ranges know no direction."""
    candles, horizon = random_candles(6000, seed), 30
    moves = smoothed_moves(candles, horizon)
    labelling = Labelling(
        Smoothed(typical_move(moves)), Barriers(np.inf, 0.01, np.inf, 0.01), horizon, 15
    )
    labels, rows = labelling.label(candles), Rows(np.zeros((6000, 1), dtype=np.float32), candles)
    taught, later = np.arange(60, 4000), np.arange(4030, 5960)
    training = Samples(rows, taught, labels[taught], np.ones(len(taught)))
    skills = {}
    for module, settings in (
        (trend, TrendSettings(spans=(30, 31))),
        (ranges, RangesSettings(spans=(30, 31))),
    ):
        fitted = module.make(settings, 60, 1).fit(training, training, None, Hooks())
        given = fitted.scores(rows, later)
        frequencies = np.tile(class_frequencies(labels[taught]), (len(later), 1))
        skills[module] = skill(log_loss(given, labels[later]), log_loss(frequencies, labels[later]))
    assert skills[trend] > 0.1
    assert skills[ranges] < 0.05
