"""Scale rows as the training part says, and flag those that are unlike it."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from dualwindow.arrays import BoolArray, FloatArray
from dualwindow.settings import ScalerKind

_LARGEST = float(np.finfo(np.float32).max)
_CHUNK = 1 << 14  # rows at a time: what is computed on the way stays in cache


class Scaled(NamedTuple):
    """Rows as a classifier takes them.

    Parameters
    ----------
    rows : (n, g) float32, all finite; zeros where `known` is False
    known : (n,) True where every feature is, and stays when it is scaled, a finite float32
    inliers : (n,) `known`, and no outlier
    dissimilarity : (n,) FreqAI's DI values, 0 where there are none
    """

    rows: FloatArray
    known: BoolArray
    inliers: BoolArray
    dissimilarity: FloatArray


class RowScaler(Protocol):
    """Learns from the training part how to scale rows; picklable."""

    def fit(self, rows: FloatArray) -> None:
        """Learn from (n, f) finite rows, which stay as they are."""

    def apply(self, rows: FloatArray) -> Scaled:
        """Scale (n, f) rows, NaN or infinite where unknown; no row is removed."""


def feature_scaler(kind: ScalerKind) -> Any:
    """Make scikit-learn's scaler of this kind, unfitted; ``minmax`` scales to -1 .. 1."""
    if kind == "minmax":
        return MinMaxScaler(feature_range=(-1, 1))
    return StandardScaler() if kind == "standard" else RobustScaler()


# What each kind learns, by scikit-learn's names.
_LEARNT: dict[ScalerKind, tuple[str, ...]] = {
    "standard": ("mean_", "scale_"),
    "robust": ("center_", "scale_"),
    "minmax": ("scale_", "min_"),
}


class FeatureScaler:
    """Scales every feature by itself, and takes no row for an outlier."""

    def __init__(self, kind: ScalerKind) -> None:
        self._kind = kind
        self._scaler = feature_scaler(kind)

    def to_dict(self) -> dict[str, Any]:
        """Give its kind and all it has learnt, of which JSON keeps every bit."""
        return {"kind": self._kind, **learnt_by(self._scaler, self._kind)}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> "FeatureScaler":
        """Make it from what `to_dict` has given.

        Raises
        ------
        KeyError, TypeError, ValueError
            If something is missing, or no finite numbers of the same features.
        """
        scaler = cls(found["kind"])
        learnt = {n: np.array(found[n], dtype=np.float64) for n in _LEARNT[scaler._kind]}
        shapes = {array.shape for array in learnt.values()}
        if len(shapes) > 1 or any(a.ndim != 1 or not np.isfinite(a).all() for a in learnt.values()):
            raise ValueError(
                "the scaler's numbers are not those of the same features, or not finite"
            )
        for name, array in learnt.items():
            setattr(scaler._scaler, name, array)
        scaler._scaler.n_features_in_ = len(next(iter(learnt.values())))
        return scaler

    def fit(self, rows: FloatArray) -> None:
        """Learn from (n, f) finite rows."""
        self._scaler.fit(rows)

    def apply(self, rows: FloatArray) -> Scaled:
        """Scale (n, f) rows."""
        parts = [self._scaled(rows[part]) for part in _chunks(len(rows))]
        return Scaled(*(np.concatenate(of_parts) for of_parts in zip(*parts, strict=True)))

    def _scaled(self, rows: FloatArray) -> Scaled:
        known = known_rows(rows)
        part = self._scaler.transform(rows[known]) if known.any() else rows[known]
        return scattered(part, known, np.ones(len(part), dtype=bool), np.zeros(len(part)))


def learnt_by(scaler: Any, kind: ScalerKind) -> dict[str, list[float]]:
    """Read what scikit-learn's scaler of this kind has learnt."""
    return {name: getattr(scaler, name).tolist() for name in _LEARNT[kind]}


def known_rows(features: FloatArray) -> BoolArray:
    """Mark the rows of (n, f) features that are all finite as float32, too: (n,)."""
    known = np.empty(len(features), dtype=bool)
    for part in _chunks(len(features)):
        np.logical_and.reduce(np.abs(features[part]) <= _LARGEST, axis=1, out=known[part])
    return known


def _chunks(n: int) -> list[slice]:
    return [slice(first, first + _CHUNK) for first in range(0, max(n, 1), _CHUNK)]


def scattered(
    part: FloatArray, known: BoolArray, inliers: BoolArray, dissimilarity: FloatArray
) -> Scaled:
    """Put the scaled part of the rows back among those that are unknown.

    Parameters
    ----------
    part : (k, g) scaled
    known : (n,) which rows these are, k of them
    inliers, dissimilarity : (k,)
    """
    held = known_rows(part)  # by float32: a scaler can make too much of a feature
    all_inliers, all_dissimilarity = known.copy(), np.zeros(len(known))
    all_inliers[known] = inliers & held
    all_dissimilarity[known] = dissimilarity
    still_known = known.copy()
    still_known[known] = held
    rows = np.zeros((len(known), part.shape[1]), dtype=np.float32)
    rows[still_known] = part[held]
    return Scaled(rows, still_known, all_inliers, all_dissimilarity)
