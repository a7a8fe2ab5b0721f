"""Show what `make bench-skill` has found: tables for the terminal, JSON for the rest."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from benchmarks.skill_goals import Goal, Line
from benchmarks.skill_walks import BASELINE, OURS, RAW_SCORES, TRUE, Judged
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
    columns = ["source", "pair", "window", "log loss (frequencies)", "skill", "raw scores"]
    columns += ["three numbers", "true", "AUC S / L", "calibration", "epochs", "s"]
    for column in columns:
        table.add_column(column)
    for row in rows:
        ours = row[OURS]
        frequencies = _number(ours["log_loss_of_frequencies"], ".3f")
        theirs = [row.get(who) for who in (RAW_SCORES, BASELINE, TRUE)]
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


def ladder_table(lines: Sequence[Line]) -> Table:
    """Show a row for each who predicts, over all windows."""
    table = Table(title="The ladder: skill against the frequencies of the own pair's last 30 days")
    columns = ["who", "mean skill", "above 0", "worst", "better than three numbers"]
    columns += ["touch / direction", "ours is better by (95 %)", "s per training"]
    for column in columns:
        table.add_column(column)
    for line in lines:
        difference = line.against_ours
        table.add_row(
            line.who,
            f"{line.skills.mean():+.4f}",
            f"{100 * (line.skills > 0).mean():.0f} %",
            f"{line.skills.min():+.3f}",
            f"{100 * line.better_than_three:.0f} %",
            f"{line.touch:+.3f} / {line.direction:+.3f}",
            f"{difference.mean:+.4f} ({difference.low:+.4f} .. {difference.high:+.4f})",
            f"{line.seconds:.1f}",
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


def told(line: Line) -> dict[str, Any]:
    """Lay a row of the ladder out for JSON."""
    return {
        **line._asdict(),
        "skills": line.skills.tolist(),
        "against_ours": line.against_ours._asdict(),
    }


def write(
    path: Path,
    rows: Sequence[dict[str, Any]],
    lines: Sequence[Line],
    goals: Sequence[Goal],
    overfitting: float | None,
) -> None:
    """Write all results as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {
        "probability of overfitting": overfitting,
        "goals": [goal._asdict() for goal in goals],
        "ladder": [told(line) for line in lines],
        "windows": rows,
    }
    path.write_text(json.dumps(found, indent=1))
