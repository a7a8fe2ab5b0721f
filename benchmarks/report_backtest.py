"""Print what a backtest's trainings and predictions were, as Markdown for docs/results.md.

python benchmarks/report_backtest.py user_data/models/IDENTIFIER
"""

import argparse
import json
from pathlib import Path

import pandas as pd

from dualwindow_freqtrade.freqai_names import BACKTEST_FOLDER, BACKTEST_PREDICTION
from dualwindow_freqtrade.training_report import REPORT_FILE


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def by_class(counts: dict[str, int]) -> str:
    return " / ".join(f"{counts[name]:,}" for name in ("SHORT", "HOLD", "LONG"))


def training_row(facts: dict) -> list[str]:
    scores = facts["validation"]
    return [
        facts["pair"].partition(":")[0],
        f"{facts['first_candle'][:10]} .. {facts['last_candle'][:10]}",
        f"{facts['candles']:,}",
        by_class(facts["labels"]),
        by_class(facts["training_windows"]),
        by_class(facts["validation_windows"]),
        str(len(facts["epochs"])),
        f"{facts['seconds']:.0f}",
        f"{scores['log_loss']:.3f} ({scores['log_loss_of_training_frequencies']:.3f})",
        f"{scores['auc_short']:.2f} / {scores['auc_long']:.2f}",
    ]


def dropped_row(facts: dict) -> list[str]:
    start = f"{facts['first_candle'][:10]}"
    return [facts["pair"].partition(":")[0], start, *map(str, facts["rejected"].values())]


def prediction_row(path: Path, pair: str) -> list[str]:
    frame = pd.read_feather(path)
    total = frame[["SHORT", "HOLD", "LONG"]].sum(axis=1)
    predicted = (frame["do_predict"] == 1) & ((total - 1).abs() < 1e-3)
    window = f"{frame['date'].iloc[0]:%Y-%m-%d} .. {frame['date'].iloc[-1]:%Y-%m-%d}"
    return [pair.partition(":")[0], window, f"{len(frame):,}", f"{(~predicted).sum():,}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path, help="folder of one identifier")
    folder = parser.parse_args().models
    paths = sorted(folder.rglob(f"*{REPORT_FILE}"))
    trainings = [json.loads(path.read_text()) for path in paths]
    header = ["pair", "trained on", "candles", "labels S / H / L", "training windows S / H / L"]
    header += ["validation windows S / H / L", "epochs", "s"]
    header += ["validation log loss (of frequencies)", "AUC S / L"]
    print("### Trainings\n")
    print(table(header, [training_row(facts) for facts in trainings]))
    print("\n### Windows dropped, by reason\n")
    header = ["pair", "trained from", *trainings[0]["rejected"]]
    print(table(header, [dropped_row(facts) for facts in trainings]))
    print("\n### Predictions\n")
    rows = []
    for path, facts in zip(paths, trainings, strict=True):
        name = path.name.replace(REPORT_FILE, BACKTEST_PREDICTION)
        rows.append(prediction_row(folder / BACKTEST_FOLDER / name, facts["pair"]))
    print(table(["pair", "backtest window", "candles", "without a prediction"], rows))


if __name__ == "__main__":
    main()
