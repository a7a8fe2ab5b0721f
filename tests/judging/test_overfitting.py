"""What of the best is luck: against a package that shares nothing with the one that computes it."""

import math

import holdout
import numpy as np
import pytest
from scipy.stats import kurtosis, skew

from dualwindow.judging.overfitting import (
    deflated_sharpe,
    probability_of_overfitting,
    sharpe_of,
)


@pytest.mark.parametrize(
    ("n_ways", "n_days", "edge"), [(2, 16, 0.0), (6, 45, 0.02), (6, 45, 0.1), (20, 100, 0.0)]
)
def test_probability_of_overfitting_is_that_of_another_package(n_ways, n_days, edge, seed):
    rng = np.random.default_rng(seed)
    losses = rng.normal(-edge * np.arange(n_ways)[:, None] / n_ways, 0.1, (n_ways, n_days))
    other = holdout.probability_of_backtest_overfitting(-losses.T, n_blocks=8, metric="mean")
    assert probability_of_overfitting(losses) == pytest.approx(other.pbo, abs=1e-12)


def test_of_few_days_or_of_one_alone_nothing_is_said():
    assert probability_of_overfitting(np.zeros((3, 7))) is None
    assert probability_of_overfitting(np.zeros((1, 20))) is None


def test_who_is_best_everywhere_is_not_overfitted_and_who_is_so_by_turns_is():
    days = np.arange(80)
    always = np.stack([np.full(80, 0.1), np.full(80, 0.2), np.full(80, 0.3)])
    assert probability_of_overfitting(always + 0.001 * np.sin(days)) == 0
    halves = np.where(days // 10 % 2 == 0, 1.0, 0.0)  # what wins on even blocks loses on odd ones
    # Half of the halves have as many even blocks as odd ones, and there it is a draw.
    assert probability_of_overfitting(np.stack([halves, 1 - halves])) >= 34 / 70


# D. Bailey and M. Lopez de Prado, 2014: SR 2.5 a year of 250 days, 1250 days, skewness -3 and
# kurtosis 10, the variance of the trials 1/2 a year, 100 trials.


def of_the_paper():
    """Returns of only two values have just this skewness and kurtosis."""
    ups = round(1250 * (13 + math.sqrt(117)) / 26)
    returns = np.concatenate([np.ones(ups), np.full(1250 - ups, -math.sqrt(117) - 1)])
    return (returns - returns.mean()) / returns.std(ddof=1) + 2.5 / math.sqrt(250)


def test_deflated_sharpe_ratio_is_that_of_the_paper_and_of_another_package():
    spread = math.sqrt(0.5 / 250 / 2)  # two Sharpe ratios of this variance
    found = deflated_sharpe(of_the_paper(), [spread, -spread], 100)
    sharpe = 2.5 / math.sqrt(250)
    other = holdout.probabilistic_sharpe_ratio(
        sharpe,
        1250,
        benchmark=holdout.expected_maximum_sharpe(100, 0.5 / 250),
        skewness=-3.0,
        kurtosis=10.0,
    )
    assert other == pytest.approx(0.9004, abs=1e-4)
    assert found == pytest.approx(0.9004, abs=1e-3)
    assert found == pytest.approx(other, abs=1e-3)  # 1145 and 105 days are not quite these moments


def test_deflated_sharpe_ratio_of_the_same_moments_is_the_same(seed):
    """The packages estimate moments otherwise: given those of one, both say the same."""
    rng = np.random.default_rng(seed)
    returns = rng.gamma(2.0, 0.01, 300)
    returns = returns - returns.mean() + 0.15 * returns.std()
    tried = rng.normal(0, 0.07, 30).tolist()
    other = holdout.probabilistic_sharpe_ratio(
        float(returns.mean() / returns.std()),
        300,
        benchmark=holdout.expected_maximum_sharpe(30, float(np.var(tried, ddof=1))),
        skewness=float(skew(returns, bias=False)),
        kurtosis=float(kurtosis(returns, fisher=False, bias=False)),
    )
    assert 0.02 < other < 0.98
    assert deflated_sharpe(returns, tried, 30) == pytest.approx(other, abs=1e-9)


@pytest.mark.parametrize("tried", [[0.1] * 30, [0.1, 0.101], [0.1], [math.nan, 0.1]])
def test_trials_alike_scatter_as_those_worth_nothing(tried, seed):
    """Their own variance, about 0, would let the best of thirty pass for the only one."""
    returns = np.random.default_rng(seed).normal(0.002, 0.01, 250)
    other = holdout.probabilistic_sharpe_ratio(
        float(returns.mean() / returns.std()),
        250,
        benchmark=holdout.expected_maximum_sharpe(30, 1 / 250),
        skewness=float(skew(returns, bias=False)),
        kurtosis=float(kurtosis(returns, fisher=False, bias=False)),
    )
    assert 0.001 < other < 0.999
    assert deflated_sharpe(returns, tried, 30) == pytest.approx(other, abs=1e-9)


def test_who_never_trades_has_no_sharpe_ratio():
    assert math.isnan(sharpe_of(np.zeros(9)))
    assert math.isnan(deflated_sharpe(np.zeros(9), [0.1, 0.2], 2))
