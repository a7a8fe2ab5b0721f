"""Show what `make bench-skill` has found: tables for the terminal, JSON for the rest."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from benchmarks.skill_goals import OURS, RAW_SCORES, THREE_NUMBERS, TRUE, Goal
from benchmarks.skill_peers import CANDLE, WINDOW
from benchmarks.skill_walks import Judged
from dualwindow.judging.out_of_sample import facts


def window_rows(judged: Judged) -> list[dict[str, Any]]:
    """Lay every window out for JSON."""
    rows = []
    for i, (fold, record, scores) in enumerate(judged.windows[OURS]):
        rows.append(
            {
                "source": judged.source,
                "pair": fold.pair,
                "window": f"{pd.Timestamp(fold.start, unit='s'):%Y-%m-%d}",
                "candles": scores.candles,
                "calibration": record.calibration.model_dump(),
                "best_epoch": record.best_epoch,
                "epochs": len(record.epochs),
                "seconds": record.seconds,
                **{who: facts(windows[i].scores) for who, windows in judged.windows.items()},
            }
        )
    return rows


def window_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Show a row per window."""
    table = Table(title="Skill out of sample, a row per window")
    peers = {THREE_NUMBERS: THREE_NUMBERS, CANDLE: "LightGBM candle", WINDOW: "LightGBM window"}
    columns = ["source", "pair", "window", "log loss (frequencies)", "skill", "raw scores"]
    columns += [*peers.values(), "true", "AUC S / L", "calibration", "epochs", "s"]
    for column in columns:
        table.add_column(column)
    for row in rows:
        ours = row[OURS]
        frequencies = _number(ours["log_loss_of_frequencies"], ".3f")
        theirs = [row[who] for who in (RAW_SCORES, THREE_NUMBERS)]
        theirs += [row.get(who) for who in (CANDLE, WINDOW, TRUE)]
        table.add_row(
            row["source"],
            row["pair"],
            row["window"],
            f"{_number(ours['log_loss'], '.3f')} ({frequencies})",
            _number(ours["skill"], "+.3f"),
            *("" if scores is None else _number(scores["skill"], "+.3f") for scores in theirs),
            " / ".join(_number(ours[side], ".2f") for side in ("auc_short", "auc_long")),
            row["calibration"]["method"],
            f"{row['best_epoch']} of {row['epochs']}",
            f"{row['seconds']:.0f}",
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def goal_table(goals: Sequence[Goal]) -> Table:
    """Show a row per goal."""
    table = Table("number", "value", "reached", title="Over all windows")
    for what, value, reached in goals:
        table.add_row(what, value, "yes" if reached else "NO")
    return table


def write(path: Path, rows: Sequence[dict[str, Any]], goals: Sequence[Goal]) -> None:
    """Write all results as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = [goal._asdict() for goal in goals]
    path.write_text(json.dumps({"goals": told, "windows": rows}, indent=1))
