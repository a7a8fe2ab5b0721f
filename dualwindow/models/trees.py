"""Boosted trees on numbers that sum a window up: the strongest simple kind.

They are G. Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree", NIPS 2017.
"""

import json
import re
import zlib
from dataclasses import dataclass
from functools import cached_property

import lightgbm
import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.labels import CLASSES
from dualwindow.market.summaries import summaries, summary_names
from dualwindow.models.classifier import Epoch, Fitted, Hooks
from dualwindow.samples.data import Rows, Samples
from dualwindow.settings import TreesSettings, spans_of

_THREADS = 1  # small trees gain nothing from more, and so there is nothing for them to differ in


def make(settings: TreesSettings, history: int, n_features: int) -> "TreesClassifier":
    """Make the classifier; it looks at candles only, whatever the features are."""
    return TreesClassifier(settings, spans_of(settings.spans, history))


def use_threads(settings: TreesSettings, n: int) -> None:
    """Do nothing: it has one."""


@dataclass(frozen=True)
class TreesClassifier:
    """Trees, each of which mends what those before it have left."""

    settings: TreesSettings
    spans: tuple[int, ...]

    def fit(
        self, training: Samples, validation: Samples, start: Fitted | None, hooks: Hooks
    ) -> "FittedTrees":
        """Grow them on the training part alone; their number is set, and they begin anew."""
        hooks.interrupt()
        x = summaries(training.rows.candles, training.ends, self.spans)
        names = list(summary_names(self.spans))
        data = lightgbm.Dataset(x, training.labels, weight=training.weights, feature_name=names)
        grown = lightgbm.train(
            _parameters(self.settings),
            data,
            self.settings.rounds,
            callbacks=[lambda environment: hooks.interrupt()],
        )
        return FittedTrees(self.spans, grown.model_to_string())

    def from_bytes(self, content: bytes) -> "FittedTrees":
        """Read what `FittedTrees.to_bytes` has written."""
        told = json.loads(content)
        # LightGBM takes the whole process down with it where its text is damaged.
        if zlib.crc32(told["trees"].encode()) != told["crc32"]:
            raise ValueError("the text of the trees is damaged")
        found = FittedTrees(self.spans, told["trees"])
        if found.booster.feature_name() != list(summary_names(self.spans)):
            raise ValueError("these trees were grown on other spans")
        return found


def _parameters(settings: TreesSettings) -> dict[str, object]:
    return {
        "objective": "multiclass",
        "num_class": len(CLASSES),
        "learning_rate": settings.shrinkage,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.least_windows,
        "lambda_l2": settings.leaf_penalty,
        "feature_fraction": settings.column_share,
        "bagging_fraction": settings.row_share,
        "bagging_freq": 1,
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,  # or it would time both ways, and take the one that won
        "num_threads": _THREADS,
        "verbosity": -1,
    }


@dataclass(frozen=True)
class FittedTrees:
    """The trees, as LightGBM's text."""

    spans: tuple[int, ...]
    text: str

    epochs: tuple[Epoch, ...] = ()
    best_epoch: int = 0
    start_loss: float | None = None
    device: str = "CPU"

    @cached_property
    def booster(self) -> lightgbm.Booster:
        """The trees, read once."""
        return lightgbm.Booster(model_str=self.text)

    def scores(self, rows: Rows, ends: IntArray) -> FloatArray:
        """Give the softmax of the sums of the leaves."""
        if len(ends) == 0:
            return np.empty((0, len(CLASSES)))
        x = summaries(rows.candles, ends, self.spans)
        return np.asarray(self.booster.predict(x, num_threads=_THREADS))

    def is_sound(self) -> bool:
        """Tell whether the values of all leaves are finite."""
        leaves = re.findall(r"^leaf_value=(.*)$", self.text, flags=re.MULTILINE)
        values = np.array(" ".join(leaves).split(), dtype=np.float64)
        return bool(np.isfinite(values).all())

    def to_bytes(self) -> bytes:
        """Write JSON with LightGBM's text, which keeps every bit, and a checksum of it."""
        told = {"trees": self.text, "crc32": zlib.crc32(self.text.encode())}
        return json.dumps(told).encode()
