"""Find out what decides on an entry, whatever the strategy is."""

from collections.abc import Mapping
from typing import Any

from freqtrade.strategy import IStrategy

from dualwindow.judging.decisions import in_words
from dualwindow_freqtrade.freqai.names import ACTION
from dualwindow_freqtrade.reporting.run_file import Judging

_NO_FEE = "'fee' is not set in the configuration: everything is told before fees"


def judging_of(strategy: IStrategy, config: Mapping[str, Any]) -> Judging:
    """Ask the strategy for its rule; one that has none is judged by the configured confidence.

    Parameters
    ----------
    strategy : with its model; one with a rule of ours has `confidence_in_effect`
    config : freqtrade's, of which the fee is read
    """
    found = _deciding(strategy, config)
    return found.model_copy(update={"can_short": bool(strategy.can_short)})


def _deciding(strategy: IStrategy, config: Mapping[str, Any]) -> Judging:
    fee = config.get("fee")
    fees, warnings = 2 * float(fee or 0), () if fee is not None else (_NO_FEE,)
    if ACTION in strategy.freqai.columns_beside:
        words = "an agent decides; it is not asked here what it would have done without trades"
        return Judging(confidence=None, words=words, fees=fees, warnings=warnings)
    asked = getattr(strategy, "confidence_in_effect", None)
    if asked is not None:
        confidence = asked()
        return Judging(
            confidence=confidence, words=in_words(confidence), fees=fees, warnings=warnings
        )
    name, confidence = type(strategy).__name__, strategy.freqai.configuration.confidence
    if confidence.mode == "expected_value" and fee is None:
        words = "the most probable class"
        told = f"Entries are judged by {words}, not by {name}'s own rule"
        return Judging(confidence=None, words=words, fees=0, warnings=(told, *warnings))
    told = f"Entries are judged by the configured confidence, not by {name}'s own rule"
    words = in_words(confidence)
    return Judging(confidence=confidence, words=words, fees=fees, warnings=(told, *warnings))
