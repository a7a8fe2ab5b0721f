"""Load models that FreqAI has saved, and use only those that are whole."""

import logging
from collections.abc import Iterable
from typing import Any

from freqtrade.exceptions import OperationalException
from freqtrade.freqai.data_drawer import FreqaiDataDrawer
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

from dualwindow.learning.artifact import Artifact, format_trouble
from dualwindow.learning.fingerprint import all_differences
from dualwindow.market.files import is_of_machine
from dualwindow_freqtrade.freqai.fingerprint import Fingerprint
from dualwindow_freqtrade.freqai.folder_use import remedy
from dualwindow_freqtrade.freqai.names import TRAINED_LIVE
from dualwindow_freqtrade.live.drawer import WholeFilesDrawer

logger = logging.getLogger(__name__)


def load_backtest_model(drawer: FreqaiDataDrawer, dk: FreqaiDataKitchen) -> None:
    """Load the model of a backtest window, and refuse it here if it cannot be read.

    It becomes the one that the next training goes on from, if learning goes on.
    """
    drawer.pair_dict[dk.pair]["model_filename"] = dk.model_filename
    try:
        model: Artifact = drawer.load_data(dk.pair, dk)
        model.fitted  # noqa: B018 - unpacks what it has learnt
    except Exception as error:
        if older := format_trouble(error):
            raise OperationalException(
                f"the model in {dk.data_path} cannot be used: {older}; {remedy(dk.data_path)}"
            ) from error
        raise OperationalException(
            f"the model in {dk.data_path} is damaged ({type(error).__name__}: {error}); "
            f"{remedy(dk.data_path)}"
        ) from error
    drawer.model_dictionary[dk.pair] = model


class SavedModels:
    """The models that a live bot finds when it starts.

    Parameters
    ----------
    drawer : FreqAI's, which loads and keeps them
    config : freqtrade's
    fingerprint : what they must have been made from
    """

    def __init__(
        self, drawer: WholeFilesDrawer, config: dict[str, Any], fingerprint: Fingerprint
    ) -> None:
        self._drawer, self._config, self._fingerprint = drawer, config, fingerprint
        self._looked_for: set[str] = set()

    def load_once(self, pairs: Iterable[str]) -> None:
        """Load the models of pairs that have not been looked for in this process."""
        for pair in pairs:
            if pair not in self._looked_for:
                self._load(pair)
                self._looked_for.add(pair)

    def forget(self, pair: str) -> None:
        """Look for its model again when it comes back."""
        self._looked_for.discard(pair)

    def _load(self, pair: str) -> None:
        """Load a saved model, or go on as if there were none: a new one will be trained."""
        if not self._drawer.get_pair_dict_info(pair)[0]:
            return
        dk = FreqaiDataKitchen(self._config, live=True, pair=pair)
        reason = trouble_with(self._drawer, dk, self._fingerprint)
        if reason is None:
            logger.info("%s: goes on with the model in %s", pair, dk.data_path)
            return
        self._drawer.forget(pair)
        logger.warning(
            "%s: the model in %s is not used, a new one will be trained; %s",
            pair,
            dk.data_path,
            reason,
        )


def trouble_with(
    drawer: FreqaiDataDrawer, dk: FreqaiDataKitchen, fingerprint: Fingerprint
) -> str | None:
    """Load the newest model of a pair, and say why a bot does not go on with it; None if it does.

    Parameters
    ----------
    drawer : FreqAI's, which knows the newest
    dk : of the pair
    fingerprint : what it must have been made from
    """
    try:
        model: Artifact = drawer.load_data(dk.pair, dk)
        was_live = bool(dk.data.get(TRAINED_LIVE))
        return why_not(model, dk.pair, fingerprint, was_live=was_live)
    except Exception as error:  # whatever a damaged pickle raises
        if is_of_machine(error):
            raise
        older = format_trouble(error)
        return str(older) if older else f"it is missing or damaged: {type(error).__name__}: {error}"


def why_not(model: Artifact, pair: str, fingerprint: Fingerprint, *, was_live: bool) -> str | None:
    """Say why a bot does not go on with a saved model; None where it does.

    Parameters
    ----------
    model : that was found
    pair : that it was found for
    fingerprint : what it must have been made from
    was_live : whether a live bot has trained it
    """
    if not was_live:
        return "it was not trained by a live bot, but in a backtest or by an earlier version"
    if model.record.pair != pair:
        return f"it is one of {model.record.pair}"
    changed = all_differences(model.record.made_from, fingerprint.facts())
    if changed:
        return f"it was made with other settings, code or libraries: {'; '.join(changed)}"
    return None if model.fitted.is_sound() else "its weights are no numbers"
