"""Turn scores into probabilities that mean what they say.

A network trained on balanced windows scores SHORT and LONG as if they were as common as HOLD. All
methods here work on the log odds of SHORT and LONG against HOLD: one line per direction,
``log odds = shift + scale * (log odds of the scores)``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import log_softmax, softmax

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.learning.metrics import TINY, log_loss
from dualwindow.market.labels import CLASSES, HOLD, LONG, SHORT
from dualwindow.settings import CalibrationMethod

_DIRECTIONS = [SHORT, LONG]
# Independent validation samples that each class needs, by method. Labels overlap, so hundreds of
# windows may tell of one single move.
_LEAST_SAMPLES = {"vector": 5.0, "temperature": 1.0, "prior": 0.0}
# Standard deviations of what is believed before the validation part is seen: that scales are near
# 1 (in log) and shifts near 0. A few days of candles are too few to be believed outright.
_SCALE_SPREAD, _SHIFT_SPREAD = 1.0, 0.3
_LEAST_SHARE = 0.01  # of a calibration, below which the frequencies are quoted


@dataclass(frozen=True)
class Calibration:
    """A fitted map from softmax scores to probabilities.

    Parameters
    ----------
    method : ``none``, ``prior``, ``temperature``, ``vector``; ``frequencies`` where the scores
        are worth nothing and the class frequencies are quoted instead
    scale, shift : (2,) for SHORT and LONG
    """

    method: str
    scale: FloatArray
    shift: FloatArray

    def apply(self, scores: FloatArray) -> FloatArray:
        """Map (m, 3) scores to (m, 3) probabilities that sum to 1; NaN rows stay NaN."""
        logits = np.zeros((len(scores), len(CLASSES)))
        logits[:, _DIRECTIONS] = self.shift + self.scale * _odds(np.asarray(scores))
        return np.asarray(softmax(logits, axis=1))


def _odds(scores: FloatArray) -> FloatArray:
    """Log odds of SHORT and LONG against HOLD: (..., 2)."""
    logs = np.log(np.maximum(scores, TINY))
    return np.asarray(logs[..., _DIRECTIONS] - logs[..., [HOLD]])


@dataclass(frozen=True)
class Evidence:
    """What a calibration is fitted to: the validation windows and what the training was.

    Parameters
    ----------
    scores : (m, 3) softmax of the validation windows
    labels : (m,) of SHORT, HOLD, LONG
    frequencies : (3,) how common the classes are, positive
    mixture : (3,) how common balancing made them in training, positive
    overlap : neighbouring windows whose labels share candles, the horizon: m windows are worth
        ``m / overlap`` independent ones
    """

    scores: FloatArray
    labels: IntArray
    frequencies: FloatArray
    mixture: FloatArray
    overlap: int

    def log_loss(self, calibration: Calibration) -> float:
        """Log loss of what the calibration makes of the scores."""
        return log_loss(calibration.apply(self.scores), self.labels)


def uncalibrated() -> Calibration:
    """Leave the scores as they are."""
    return Calibration("none", np.ones(2), np.zeros(2))


def frequencies_only(evidence: Evidence) -> Calibration:
    """Quote the class frequencies whatever the scores say."""
    return Calibration("frequencies", np.zeros(2), _odds(evidence.frequencies))


def by_prior(evidence: Evidence) -> Calibration:
    """Undo the balancing: divide by the training mixture, multiply by the frequencies.

    Source: C. Elkan, "The Foundations of Cost-Sensitive Learning", IJCAI 2001, theorem 2.
    """
    return Calibration("prior", np.ones(2), _shift(evidence, np.ones(2)))


def by_temperature(evidence: Evidence) -> Calibration:
    """Undo the balancing and divide the evidence by one temperature.

    The temperature divides what the scores say beyond the mixture they were trained on, so a
    large one leads to the class frequencies, not to equal thirds.

    Source: C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """

    def line(theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        scale = np.exp(np.repeat(theta, 2))
        return scale, _shift(evidence, scale)

    return Calibration("temperature", *_most_plausible(evidence, line, np.array([_SCALE_SPREAD])))


def by_vector(evidence: Evidence) -> Calibration:
    """Undo the balancing, then fit a scale and a shift for each direction.

    Source: vector scaling of Guo et al. 2017, on odds against HOLD.
    """

    def line(theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        scale = np.exp(theta[:2])
        return scale, _shift(evidence, scale) + theta[2:]

    spreads = np.array([_SCALE_SPREAD] * 2 + [_SHIFT_SPREAD] * 2)
    return Calibration("vector", *_most_plausible(evidence, line, spreads))


_METHODS: dict[str, Callable[[Evidence], Calibration]] = {
    "vector": by_vector,
    "temperature": by_temperature,
    "prior": by_prior,
}


def calibrate(method: CalibrationMethod, evidence: Evidence) -> tuple[Calibration, list[str]]:
    """Fit the method, or the nearest simpler one that the validation windows allow.

    From ``vector`` over ``temperature`` to ``prior``, a method is passed over if a class has too
    few independent windows. What is fitted is drawn towards the class frequencies as far as it
    takes not to be worse than they are on the validation windows. ``none`` is taken as it is.

    Returns
    -------
    The calibration, and for the log, why methods were passed over or drawn to the frequencies.
    """
    if method == "none":
        return uncalibrated(), []
    independent = np.bincount(evidence.labels, minlength=len(CLASSES)) / evidence.overlap
    rare = int(independent.argmin())
    names = list(_METHODS)
    names = names[names.index(method) :]
    allowed = [name for name in names if independent[rare] >= _LEAST_SAMPLES[name]]
    reasons = [
        f"{name} is passed over: the validation part has only {independent[rare]:.1f} independent "
        f"{CLASSES[rare]} windows, it needs {_LEAST_SAMPLES[name]:.0f}"
        for name in names[: names.index(allowed[0])]
    ]
    fitted = _METHODS[allowed[0]](evidence)
    share = _credible_share(fitted, evidence)
    if share == 1:
        return fitted, reasons
    bound = evidence.log_loss(frequencies_only(evidence))
    reasons.append(
        f"{fitted.method} does worse on validation (log loss {evidence.log_loss(fitted):.4f}) than "
        f"the class frequencies ({bound:.4f}), so it counts by {100 * share:.0f} %"
        + ("" if share else ": all candles get the same probabilities")
    )
    return _drawn_to_frequencies(fitted, evidence, share), reasons


def _credible_share(fitted: Calibration, evidence: Evidence) -> float:
    """How much of a calibration is not worse than the frequencies: 1 all, 0 nothing of it.

    In between, the loss is convex and 0 is the frequencies themselves, so everything up to the
    share that equals them is at least as good.
    """
    bound = evidence.log_loss(frequencies_only(evidence))

    def excess(share: float) -> float:
        return evidence.log_loss(_drawn_to_frequencies(fitted, evidence, share)) - bound

    if excess(1.0) <= 0:
        return 1.0
    # The root, rounded down: the side that is not worse.
    return brentq(excess, _LEAST_SHARE, 1.0) - 1e-6 if excess(_LEAST_SHARE) < 0 else 0.0


def _drawn_to_frequencies(fitted: Calibration, evidence: Evidence, share: float) -> Calibration:
    if share == 0:
        return frequencies_only(evidence)
    shift = share * fitted.shift + (1 - share) * _odds(evidence.frequencies)
    return Calibration(fitted.method, share * fitted.scale, shift)


def _shift(evidence: Evidence, scale: FloatArray) -> FloatArray:
    """Where the scores say what the training mixture says, the frequencies come out."""
    return _odds(evidence.frequencies) - scale * _odds(evidence.mixture)


def _most_plausible(
    evidence: Evidence,
    line: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    spreads: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Maximise likelihood, counted in independent windows, times a Gaussian belief around 0."""
    odds, n = _odds(evidence.scores), len(evidence.labels)
    logits = np.zeros((n, len(CLASSES)))

    def cost(theta: FloatArray) -> float:
        scale, shift = line(theta)
        logits[:, _DIRECTIONS] = shift + scale * odds
        loss = -log_softmax(logits, axis=1)[np.arange(n), evidence.labels].sum()
        return float(loss / evidence.overlap + 0.5 * np.square(theta / spreads).sum())

    return line(minimize(cost, np.zeros(len(spreads)), method="BFGS").x)
