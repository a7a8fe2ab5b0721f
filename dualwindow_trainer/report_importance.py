"""Train the last window of a walk-forward again, and shuffle what its model sees."""

import argparse

from dualwindow.cli import CommandError
from dualwindow.judging.findings import Importances
from dualwindow.judging.importance import importances
from dualwindow.learning.training import train_together
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.labels import Labelling
from dualwindow.samples.data import TrainingError
from dualwindow.samples.scaling import FeatureScaler
from dualwindow_freqtrade.freqai.configuration import translated
from dualwindow_freqtrade.freqai.threads import quiet_tensorflow
from dualwindow_trainer.pairs import pairs_of


def importances_of(walk: WalkForward, arguments: argparse.Namespace) -> tuple[Importances, ...]:
    """Look at the models of the last window of time, one of each pair.

    The same candles, settings and seed come to the same model as in the walk-forward.

    Parameters
    ----------
    walk : that is reported
    arguments : with `pair`, `datadir`, `data` and `timeframe`, as `pairs_of` reads them

    Raises
    ------
    CommandError
        If candles are missing, or the features are others than the walk-forward had.
    """
    start = max(fold.start for fold in walk.folds)
    last = [i for i, fold in enumerate(walk.folds) if fold.start == start]
    by_pair = {pair.pair: pair for pair in pairs_of(arguments)}
    settings = walk.records[last[0]].settings
    together = settings.pooling == "whitelist"
    found: list[Importances] = []
    quiet_tensorflow()
    for places in [last] if together else [[i] for i in last]:
        own = walk.records[places[0]].settings
        group = []
        for i in places:
            fold, pair = walk.folds[i], by_pair[walk.folds[i].pair]
            if pair.feature_names != walk.records[i].features:
                raise CommandError(
                    f"report: --importance: {fold.pair}: the walk-forward has learnt from other "
                    "features than these candles give; leave --importance out"
                )
            group.append(pair.between(fold.train_from, fold.start, Labelling.of(own)))
        try:
            artifacts = train_together(group, own, FeatureScaler(own.scaler))
            found += [importances(each, group) for each in artifacts if not each.record.left_out]
        except TrainingError as error:
            raise CommandError(f"report: --importance: {translated(str(error))}") from error
    return tuple(found)
