"""Print what a backtest's trainings and predictions were, as Markdown for docs/results.md.

python -m benchmarks.report_backtest user_data/models/IDENTIFIER
"""

import argparse
from pathlib import Path

import pandas as pd

from dualwindow.learning.record import ClassCounts, TrainingRecord
from dualwindow.market.labels import CLASSES
from dualwindow.samples.windows import Rejection
from dualwindow_freqtrade.freqai.names import BACKTEST_FOLDER, BACKTEST_PREDICTION, REPORT_FILE

TRAININGS = ["pair", "trained on", "candles", "labels S / H / L", "training windows S / H / L"]
TRAININGS += ["validation windows S / H / L", "epochs", "s"]
TRAININGS += ["validation log loss (of frequencies)", "AUC S / L"]
DROPPED = ["pair", "trained from", *(reason.value for reason in Rejection)]
PREDICTIONS = ["pair", "backtest window", "candles", "without a prediction"]


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def by_class(counts: ClassCounts) -> str:
    return " / ".join(f"{n:,}" for n in (counts.SHORT, counts.HOLD, counts.LONG))


def training_row(record: TrainingRecord) -> list[str]:
    scores = record.validation
    areas = (scores.auc_short, scores.auc_long)
    return [
        coins(record.pair),
        f"{record.first_candle[:10]} .. {record.last_candle[:10]}",
        f"{record.candles:,}",
        by_class(record.labels),
        by_class(record.training_windows),
        by_class(record.validation_windows),
        str(len(record.epochs)),
        f"{record.seconds:.0f}",
        f"{scores.log_loss:.3f} ({scores.log_loss_of_frequencies:.3f})",
        " / ".join("-" if area is None else f"{area:.2f}" for area in areas),
    ]


def dropped_row(record: TrainingRecord) -> list[str]:
    counts = (record.rejected[reason.value] for reason in Rejection)
    return [coins(record.pair), record.first_candle[:10], *map(str, counts)]


def prediction_row(path: Path, pair: str) -> list[str]:
    frame = pd.read_feather(path)
    total = frame[list(CLASSES)].sum(axis=1)
    predicted = (total - 1).abs() < 1e-3  # do_predict is 0 also where all are the same
    window = f"{frame['date'].iloc[0]:%Y-%m-%d} .. {frame['date'].iloc[-1]:%Y-%m-%d}"
    return [coins(pair), window, f"{len(frame):,}", f"{(~predicted).sum():,}"]


def coins(pair: str) -> str:
    return pair.partition(":")[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, help="folder of one identifier")
    folder = parser.parse_args().models
    paths = sorted(folder.rglob(f"*{REPORT_FILE}"))
    if not paths:
        parser.error(f"no *{REPORT_FILE} in {folder}; name the folder of a backtest's identifier")
    records = [TrainingRecord.from_json(path.read_text()) for path in paths]
    print(f"### Trainings\n\n{table(TRAININGS, [training_row(r) for r in records])}")
    print("\n### Windows dropped, by reason\n")
    print(table(DROPPED, [dropped_row(r) for r in records]))
    rows = []
    for path, record in zip(paths, records, strict=True):
        name = path.name.replace(REPORT_FILE, BACKTEST_PREDICTION)
        rows.append(prediction_row(folder / BACKTEST_FOLDER / name, record.pair))
    print(f"\n### Predictions\n\n{table(PREDICTIONS, rows)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
