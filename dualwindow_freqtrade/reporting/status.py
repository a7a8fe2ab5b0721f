"""Read how a bot is doing from the status that it writes for its user."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dualwindow.judging.findings import LivePair
from dualwindow_freqtrade.live.status import STATUS_FILE


def status_of(folder: Path, warnings: list[str]) -> tuple[LivePair, ...]:
    """Read how the bot is doing; nothing where it has not said so.

    Parameters
    ----------
    folder : of the identifier
    warnings : get a sentence for each pair, or for the file, that cannot be read
    """
    path = folder / STATUS_FILE
    try:
        pairs = json.loads(path.read_text())["pairs"].items()
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        warnings.append(f"{path} cannot be read ({type(error).__name__}): no status is told")
        return ()
    found = []
    for pair, facts in pairs:
        try:
            found.append(_pair_of(pair, facts))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            warnings.append(
                f"{pair}: its status in {path} is of another version, or damaged "
                f"({type(error).__name__}); it is left out"
            )
    return tuple(found)


def _pair_of(pair: str, facts: Mapping[str, Any]) -> LivePair:
    return LivePair(
        pair=pair,
        predictions=facts["predictions"],
        without=facts["candles_without_prediction"],
        trainings=facts["trainings"],
        failed_trainings=facts["failed_trainings"],
        seconds_after_candle=(facts["seconds_after_candle"] or {}).get("median"),
        kept_out={why: n for why, n in facts["counts"].items() if n},
        last_error=facts["last_error"],
    )
