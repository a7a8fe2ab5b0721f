"""Write an artifact as files that other programs can read, and read them again without a pickle.

The names are those of a published trainer, so that its users find their files:
``model_BTCUSDT_FW120_SL050_TP100.keras`` for a horizon of 120 candles, a stop of 0.5 % and a
take-profit of 1 %.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from dualwindow.learning.artifact import Artifact
from dualwindow.learning.calibration import Calibration
from dualwindow.learning.record import TrainingRecord
from dualwindow.market.candles import Candles
from dualwindow.market.files import write_aside
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import NetworkSettings, Settings, SmoothedLabelSettings

_FORMAT = 1
_CONTENTS = ("model", "scaler", "calibration")


class ArtifactFileError(Exception):
    """The files of an artifact cannot be written, or are not what they were."""


def pair_folder(pair: str) -> str:
    """Name a pair as its folder and files do.

    Examples
    --------
    >>> pair_folder("BTC/USDT"), pair_folder("BTC/USDT:USDT")
    ('BTCUSDT', 'BTCUSDT_USDT')
    """
    return pair.replace("/", "").replace(":", "_")


def stem(pair: str, settings: Settings) -> str:
    """Name a pair, the horizon and the barriers; where both sides differ, the long one is first.

    Labels without take-profits have the name of their rule there.

    Examples
    --------
    >>> stem("BTC/USDT", Settings())
    'BTCUSDT_FW120_SL050_TP100'
    """
    labels = settings.labels
    stop = _percent(labels.long_stop_loss, labels.short_stop_loss)
    begin = f"{pair_folder(pair)}_FW{settings.horizon:03d}_SL{stop}"
    if isinstance(labels, SmoothedLabelSettings):
        return f"{begin}_{labels.rule}"
    return f"{begin}_TP{_percent(labels.long_take_profit, labels.short_take_profit)}"


def _percent(long: float, short: float) -> str:
    """Write per cent times 100, rounded and never cut off: 0.29 % is 029."""
    return "-".join(dict.fromkeys(f"{round(share * 1e4):03d}" for share in (long, short)))


def metadata_path(folder: Path, pair: str, settings: Settings) -> Path:
    """Say where `write_artifact` writes the metadata."""
    return folder / f"metadata_{stem(pair, settings)}.json"


def write_artifact(artifact: Artifact, folder: Path) -> Path:
    """Write a model with its scaler, its calibration and its metadata.

    Parameters
    ----------
    artifact : its scaler must be a `FeatureScaler`
    folder : made if it is not there; files of the same name are replaced

    Returns
    -------
    The metadata, written last: only what it names with the right digests belongs together.

    Raises
    ------
    ArtifactFileError
        If a file cannot be written; what was there stays readable or is refused as a whole.
    """
    record = artifact.record
    assert isinstance(artifact.scaler, FeatureScaler)
    name, calibration = stem(record.pair, record.settings), artifact.calibration
    parts = {
        f"model_{name}{_ending(record.settings)}": artifact.content,
        f"scaler_{name}.json": _json(artifact.scaler.to_dict()),
        f"calibration_{name}.json": _json(
            {
                "method": calibration.method,
                "scale": calibration.scale.tolist(),
                "shift": calibration.shift.tolist(),
            }
        ),
    }
    facts = {
        "format": _FORMAT,
        "files": {part: hashlib.sha256(content).hexdigest() for part, content in parts.items()},
        "candle_seconds": artifact.context.step,
        "n_features": artifact.n_features,
        "record": json.loads(record.to_json()),
    }
    metadata = metadata_path(folder, record.pair, record.settings)
    history = [vars(epoch) for epoch in record.epochs]
    extra = {f"history_{name}.json": _json(history), metadata.name: _json(facts)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part, content in (parts | extra).items():
            write_aside(folder / part, content)
    except OSError as error:
        raise ArtifactFileError(f"{folder} cannot be written to ({error.strerror})") from error
    return metadata


def read_artifact(path: Path) -> Artifact:
    """Read what `write_artifact` has written; nothing in it is ever run.

    Parameters
    ----------
    path : a folder that holds one model, or the metadata of one

    Raises
    ------
    ArtifactFileError
        If there is not just one model, a file is missing, or one is not what was written.
    """
    found = [path] if path.is_file() else sorted(path.glob("metadata_*.json"))
    if len(found) != 1:
        names = ", ".join(each.name for each in found) or "no metadata_*.json"
        hint = "; name one of these files instead" if found else ""
        raise ArtifactFileError(f"{path} must hold one model. Found: {names}{hint}")
    try:
        return _read(found[0])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise ArtifactFileError(
            f"{found[0]}: its model cannot be used ({type(error).__name__}: {reason}); export or "
            "train it again"
        ) from error


def _read(metadata: Path) -> Artifact:
    facts = json.loads(metadata.read_text())
    if facts["format"] != _FORMAT:
        raise ValueError(f"it is of format {facts['format']}, this version reads {_FORMAT}")
    contents: dict[str, bytes] = {}
    for name, digest in facts["files"].items():
        if Path(name).name != name:
            raise ValueError(f"{name} is no name of a file")
        content = (metadata.parent / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError(f"{name} is not what was written with it")
        contents[name.partition("_")[0]] = content
    model, scaler, calibration = (contents[name] for name in _CONTENTS)
    told = json.loads(calibration)
    none, no_dates = np.empty(0), np.empty(0, dtype=np.int64)
    artifact = Artifact(
        int(facts["n_features"]),
        model,
        FeatureScaler.from_dict(json.loads(scaler)),
        Calibration(told["method"], np.array(told["scale"]), np.array(told["shift"])),
        Candles(no_dates, none, none, none, none, int(facts["candle_seconds"])),
        np.empty((0, int(facts["n_features"]))),
        TrainingRecord.from_json(json.dumps(facts["record"])),
    )
    artifact.fitted  # noqa: B018 - unpacks what it has learnt, so that damage is told here
    return artifact


def _ending(settings: Settings) -> str:
    if isinstance(settings.model, NetworkSettings):
        return ".keras"
    return ".zip" if settings.model.kind == "ensemble" else ".json"


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, allow_nan=False).encode()
