"""Print what a training would learn from and take, and train nothing."""

import argparse
from collections.abc import Sequence

from dualwindow.learning.fingerprint import flatten
from dualwindow.learning.group import prepare
from dualwindow.market.labels import CLASSES
from dualwindow.market.ready_quality import ReadyQuality
from dualwindow.samples.data import TrainingData
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.samples.selection import refuse_one_class
from dualwindow.settings import SmoothedLabelSettings
from dualwindow_freqtrade.freqai.configuration import Configuration, users_key
from dualwindow_trainer.pairs import qualities_of
from dualwindow_trainer.plan import estimate, windows_of
from dualwindow_trainer.ready_names import Wanted


def tell_settings(configuration: Configuration) -> None:
    """Print every setting in effect that shapes the training, in the user's words."""
    print("settings in effect:")
    for place, value in flatten({"settings": configuration.settings.model_dump()}).items():
        print(f"  {users_key(place)} = {value}")


def tell_quality(arguments: argparse.Namespace, wanted: Wanted | None) -> None:
    """Print what the files hold, as they lie there; what is `wanted` is said by `pairs_of`.

    Raises
    ------
    CommandError
        If one is missing, or holds nothing.
    """
    for pair, quality in qualities_of(arguments, wanted):
        what, n = quality._fields[0], quality[0]
        when = "" if quality.first.startswith("row") else " UTC"
        print(f"{pair}: {n} {what} from {quality.first} to {quality.last}{when}")
        wrong = {name: n for name, n in quality._asdict().items() if isinstance(n, int) and n}
        wrong.pop(what)
        told = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in wrong.items())
        print(f"  {told or 'nothing is missing or unknown'}")
        if isinstance(quality, ReadyQuality):
            counts = zip(quality.classes, CLASSES, strict=True)
            print(f"  labels: {' + '.join(f'{n} {name}' for n, name in counts)}")


def tell_windows(data: Sequence[TrainingData], configuration: Configuration) -> None:
    """Print the windows of a training, and what it would take.

    Raises
    ------
    TrainingError
        If it could not begin.
    """
    settings = configuration.settings
    prepared = prepare(data, settings, FeatureScaler(settings.scaler))
    refuse_one_class(", ".join(part.data.pair for part in prepared.parts), prepared.training.labels)
    if isinstance(labels := prepared.settings.labels, SmoothedLabelSettings):
        print(f"labels of delta {labels.delta:.6f}")
    for part in prepared.parts:
        lost = ", ".join(f"{n} {why}" for why, n in part.selection.rejected.items() if n)
        print(f"{part.data.pair}: {len(part.data.candles)} candles (dropped: {lost or 'none'})")
    for pair, why in prepared.left_out.items():
        print(f"{pair} would be left out: {why}")
    for name, (short, hold, long) in windows_of(prepared):
        print(f"{name} windows: {short} SHORT + {hold} HOLD + {long} LONG")
    takes = estimate(settings, prepared, data[0].features.shape[1])
    print(
        f"estimated for two cores: about {takes.seconds:.0f} s at most, "
        f"{takes.memory / 1e9:.1f} GB of memory"
    )
