"""The facts of one training: typed, versioned, and the same in memory as in JSON."""

from importlib.metadata import version
from typing import Any, Literal

from pydantic import Field

from dualwindow.facts import Facts
from dualwindow.models.classifier import Epoch
from dualwindow.settings import Settings, SmoothedLabelSettings

_SHAPING_LIBRARIES = (
    "dualwindow",
    "tensorflow",
    "keras",
    "numpy",
    "scipy",
    "scikit-learn",
    "lightgbm",
)


def versions() -> dict[str, str]:
    """Name the libraries that shape numbers, with their versions."""
    return {library: version(library) for library in _SHAPING_LIBRARIES}


class ClassCounts(Facts):
    """How many candles or windows are of each class."""

    SHORT: int
    HOLD: int
    LONG: int

    @property
    def total(self) -> int:
        """All three."""
        return self.SHORT + self.HOLD + self.LONG

    def __str__(self) -> str:
        return f"{self.SHORT} SHORT + {self.HOLD} HOLD + {self.LONG} LONG"


class CalibrationFacts(Facts):
    """How scores became probabilities.

    Parameters
    ----------
    method : that was used in the end
    scale, shift : of SHORT and LONG
    remarks : why other methods were passed over, for the log
    """

    method: str
    scale: tuple[float, float]
    shift: tuple[float, float]
    remarks: tuple[str, ...]


class ValidationScores(Facts):
    """What the probabilities were worth on the validation part, on which they were calibrated.

    Parameters
    ----------
    log_loss, log_loss_of_raw_scores, log_loss_of_frequencies : in nats per window
    auc_short, auc_long : of one class against the others; None if either is absent
    """

    log_loss: float
    log_loss_of_raw_scores: float
    log_loss_of_frequencies: float
    auc_short: float | None
    auc_long: float | None


class TrainingRecord(Facts):
    """What a person or a report wants to know of one training.

    Parameters
    ----------
    format : version of this form; another one cannot be read
    pair, candles, first_candle, last_candle, features : what it was trained on
    learnt_from : all pairs, where there were several; windows, epochs, calibration, validation and
        seconds are then of all of them together
    left_out : why the pair itself was not learnt from, and has the model of others; its own counts
        are then 0. Empty where it was
    labels, unknown_labels : of all its candles
    training_labels : of the candles of the training part
    training_windows, validation_windows : that were learnt from, and validated on
    rejected : reason to number of rows, each counted once
    settings : in effect
    epochs, best_epoch : empty and 0 for kinds without epochs; 0 also where it kept what it began
        with
    start_loss : validation loss of what it began with; None where it began anew
    calibration, validation : see there
    is_constant : whether all windows of the validation part got the same probabilities, as where
        the class frequencies are quoted: such a model knows nothing to enter on
    device, seconds : what it took
    memory : bytes, the peak of the process that has trained and predicted a fold of a
        walk-forward; None where nobody has looked
    versions : of the libraries that shape numbers
    made_from : everything else that shapes the predictions, by dotted names, as the host knows it
    """

    format: Literal[3] = 3
    pair: str
    learnt_from: tuple[str, ...] = ()
    left_out: str = ""
    candles: int
    first_candle: str
    last_candle: str
    features: tuple[str, ...]
    labels: ClassCounts
    unknown_labels: int
    training_labels: ClassCounts
    training_windows: ClassCounts
    validation_windows: ClassCounts
    rejected: dict[str, int]
    settings: Settings
    epochs: tuple[Epoch, ...]
    best_epoch: int
    start_loss: float | None
    calibration: CalibrationFacts
    validation: ValidationScores
    is_constant: bool = False
    device: str
    seconds: float
    memory: int | None = None
    versions: dict[str, str]
    made_from: dict[str, Any] = Field(default_factory=dict)

    @property
    def delta(self) -> float | None:
        """The move that counts, of smoothed labels; None of others."""
        labels = self.settings.labels
        return float(labels.delta) if isinstance(labels, SmoothedLabelSettings) else None

    def handed_to(self, pair: str, features: tuple[str, ...], why: str) -> "TrainingRecord":
        """Write the record of a pair that gets this model without having been learnt from."""
        none = ClassCounts(SHORT=0, HOLD=0, LONG=0)
        own = {"pair": pair, "features": features, "left_out": why, "candles": 0, "rejected": {}}
        counts = {"labels": none, "unknown_labels": 0, "training_labels": none}
        return self.model_copy(update={**own, **counts})
