"""The command ``dualwindow predict``: a model from its files, on files of candles."""

import argparse
import io
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from dualwindow.cli import Command, CommandError, Topics
from dualwindow_trainer.arguments import add_candles

if TYPE_CHECKING:
    import pandas as pd

    from dualwindow.arrays import BoolArray
    from dualwindow.learning.artifact import Artifact
    from dualwindow.learning.record import TrainingRecord
    from dualwindow.samples.pair_data import PairData

_ENDINGS = (".parquet", ".feather", ".csv")


def _predict(arguments: argparse.Namespace) -> int:
    import pandas as pd

    from dualwindow.learning.artifact_files import ArtifactFileError, read_artifact
    from dualwindow.reports.progress import steps
    from dualwindow_freqtrade.freqai.threads import quiet_tensorflow
    from dualwindow_trainer.pairs import pairs_of
    from dualwindow_trainer.ready_names import Wanted
    from dualwindow_trainer.request import timerange_of

    quiet_tensorflow()
    if arguments.out.suffix not in _ENDINGS:
        raise CommandError(f"--out must end with {', '.join(_ENDINGS)}. Received: {arguments.out}")
    span = timerange_of(arguments.timerange)
    try:
        artifact = read_artifact(arguments.model)
    except ArtifactFileError as error:
        raise CommandError(f"predict: {error}") from error
    wanted = Wanted(artifact.record.settings, "these are the settings of the model: take others")
    tables = []
    with steps("pairs", len(arguments.pair)) as done:
        for pair in pairs_of(arguments, wanted):
            tables.append(_predicted(artifact, pair, span))
            done.advance()
    table = pd.concat(tables, ignore_index=True)
    _write(table, arguments.out)
    n_valid = int(table["valid"].sum())
    print(f"{n_valid:,} of {len(table):,} candles have a prediction: {arguments.out}")
    return 0


def _predicted(artifact: "Artifact", pair: "PairData", span: tuple[float, float]) -> "pd.DataFrame":
    import numpy as np
    import pandas as pd

    from dualwindow.market.labels import CLASSES

    record = artifact.record
    _refuse_other_features(record.features, pair)
    if pair.candles.step != artifact.context.step:
        raise CommandError(
            f"predict: the model was trained on candles of {artifact.context.step} s. Received: "
            f"{pair.candles.step} s; set --timeframe"
        )
    if pair.pair not in (record.learnt_from or (record.pair,)):
        print(f"note: {pair.pair} was not learnt from")
    columns_of_model = [pair.feature_names.index(name) for name in record.features]
    a, b = np.searchsorted(pair.candles.date, span).tolist()
    oldest = max(a - record.settings.history + 1, 0)  # so that the first asked for has a window
    if b <= a:
        first, last = pair.candles.date[[0, -1]].astype("datetime64[s]")
        raise CommandError(
            f"predict: {pair.pair} has no candles in the timerange, but from {first} to {last} UTC"
        )
    found = artifact.predict(
        pair.candles[oldest:b], pair.features[oldest:b, columns_of_model], b - a
    )
    asked = slice(a - oldest, None)
    columns = dict(zip(CLASSES, found.probabilities[asked].T, strict=True))
    raw = zip((f"{name}_raw" for name in CLASSES), found.scores[asked].T, strict=True)
    dates = pd.to_datetime(pair.candles.date[a:b], unit="s", utc=True).as_unit("ms")
    facts = {"date": dates, "pair": pair.pair}
    rest = {"valid": found.valid[asked], "seen": _seen(record, pair, dates)}
    return pd.DataFrame({**facts, **columns, **dict(raw), **rest})


def _refuse_other_features(features: tuple[str, ...], pair: "PairData") -> None:
    from dualwindow.market.features import FEATURES
    from dualwindow.samples.ready_data import READY_NAMES

    if set(features) == set(pair.feature_names):
        return
    others = "others than those of"
    if set(features) == set(READY_NAMES):
        told = f"a training-ready file, whose features are {others} candles; give it such a file"
    elif set(features) == set(FEATURES):
        told = f"candles, whose features are {others} a training-ready file; give it candles"
    else:
        told = f"the features {', '.join(features)}, which only the strategy computes that it is of"
    raise CommandError(f"predict: {pair.pair}: the model was trained on {told}")


def _seen(record: "TrainingRecord", pair: "PairData", dates: "pd.DatetimeIndex") -> "BoolArray":
    """Mark what is not later than the training, of its own pair or of others in the same hours."""
    import numpy as np
    import pandas as pd

    from dualwindow.samples.ready_data import is_undated

    # Rows that are counted from 1970 on, here or there, do not tell which came first.
    if is_undated(pair.candles) or record.first_candle.startswith("1970-01-01T00:00"):
        print(f"note: {pair.pair}: without timestamps nobody knows what was learnt from")
        return np.ones(len(dates), dtype=bool)
    seen: BoolArray = np.asarray(dates <= pd.Timestamp(record.last_candle))
    if seen.any():
        print(
            f"note: {pair.pair}: {int(seen.sum())} of {len(dates)} candles are not later than those"
            " that were learnt from: 'seen' is True there, and these predictions test nothing"
        )
    return seen


def _write(table: "pd.DataFrame", path: Path) -> None:
    from dualwindow_trainer.output import write_out

    content = io.BytesIO()
    writers: dict[str, Callable[[io.BytesIO], None]] = {
        ".parquet": lambda to: table.to_parquet(to, index=False),
        ".feather": table.to_feather,
        ".csv": lambda to: table.to_csv(to, index=False),
    }
    writers[path.suffix](content)
    write_out(path, content.getvalue(), "predict")


def _add(topics: Topics) -> None:
    command = topics.add_parser(
        "predict",
        help="predict with a model that 'train' or 'export' has written",
        description="Predict every candle of the timerange with a model from its files.",
    )
    command.add_argument(
        "--model", type=Path, required=True, metavar="PATH", help="outputs/models/BTCUSDT"
    )
    add_candles(command, "default all candles")
    command.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help=".parquet, .feather or .csv"
    )
    command.set_defaults(handler=_predict)


PREDICT = Command(_add)
