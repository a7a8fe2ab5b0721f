"""Make models those that a bot starts with, so that a kill leaves the old ones or the new ones."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dualwindow.market.files import write_aside
from dualwindow_freqtrade.freqai.names import (
    METADATA_FILE,
    MODEL_FILE,
    PAIR_DICTIONARY,
    TRAINED_LIVE,
)
from dualwindow_freqtrade.live.presence import without_bot
from dualwindow_freqtrade.promotion.candidates import Candidate

PROMOTIONS = "dualwindow_promotions.json"

_Index = dict[str, dict[str, Any]]


class PromotionError(ValueError):
    """It cannot be promoted, or not be undone; nothing was changed."""


def newest_live(target: Path) -> dict[str, int]:
    """Tell when the model was trained that a bot would begin with, by pair."""
    return {pair: int(entry.get("trained_timestamp", 0)) for pair, entry in _index(target).items()}


def publish(found: Sequence[Candidate], target: Path, source: str, now: float) -> list[str]:
    """Copy models to a live bot's folder, and make them the newest of their pairs.

    The folders of the models come first; nobody looks at them until the index names them, which is
    written last and as a whole.

    Parameters
    ----------
    found : that can be promoted
    target : folder of the identifier
    source : identifier that they come from
    now : seconds since 1970 UTC

    Returns
    -------
    What was done, in words.

    Raises
    ------
    PromotionError
        If there is another model in the place of one of them.
    BotRunsError
        If a bot runs on the folder.
    OSError
        If it cannot be written.
    """
    target.mkdir(parents=True, exist_ok=True)
    with without_bot(target):
        index, earlier = _index(target), _promotions(target)
        for each in found:  # before any is copied
            _refuse_other_model(each, _folder(each, target))
        after = {each.pair: _entry(_copied(each, target), each, index) for each in found}
        before = {pair: index.get(pair) for pair in after}
        record = {"when": now, "from": source, "before": before, "after": after}
        _write(target / PROMOTIONS, [*earlier, record])
        _write(target / PAIR_DICTIONARY, {**index, **after})
    return [
        f"{pair}: a bot starts with {Path(entry['data_path']).name}; before: {_told(before[pair])}"
        for pair, entry in after.items()
    ]


def undo(target: Path) -> list[str]:
    """Make the models of before the last promotion the newest again.

    Returns
    -------
    What was done, in words.

    Raises
    ------
    PromotionError
        If there was none, a bot has trained newer ones since, or those of before are gone.
    BotRunsError
        If a bot runs on the folder.
    """
    if not (target / PROMOTIONS).is_file():
        raise PromotionError(f"nothing was promoted to {target}")
    with without_bot(target):
        *earlier, last = _promotions(target) or [None]
        if last is None:
            raise PromotionError(f"nothing is left to be undone in {target}")
        index, before, after = _index(target), last["before"], last["after"]
        for pair, entry in after.items():
            now = index.get(pair)
            # Nothing newer is there where a bot has forgotten it, or a kill has left the old state.
            if _has_model(now) and now not in (entry, before[pair]):
                raise PromotionError(
                    f"{pair}: a newer model than the promoted one is there, {_told(now)}: a bot "
                    "has trained since, and goes on with it"
                )
            _refuse_gone(pair, before[pair])
        restored = {pair: entry for pair, entry in index.items() if pair not in after}
        restored |= {pair: entry for pair, entry in before.items() if entry is not None}
        _write(target / PAIR_DICTIONARY, restored)
        _write(target / PROMOTIONS, earlier)
    return [f"{pair}: a bot starts with {_told(before[pair])}" for pair in after]


def _copied(each: Candidate, target: Path) -> Path:
    """Copy the files of a model, as one that a bot may begin with."""
    assert each.folder is not None
    folder = _folder(each, target)
    metadata = f"{each.name}{METADATA_FILE}"
    facts = json.loads((each.folder / metadata).read_text())
    facts |= {"data_path": str(folder), "model_filename": each.name, TRAINED_LIVE: True}
    content = json.dumps(facts).encode()
    if folder.is_dir():
        write_aside(folder / metadata, content)
        return folder
    aside = folder.with_name(f"{folder.name}.tmp")  # a bot that starts removes it
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    for path in sorted(each.folder.iterdir()):
        if path.is_file() and path.name != metadata:
            write_aside(aside / path.name, path.read_bytes())
    write_aside(aside / metadata, content)
    aside.replace(folder)
    return folder


def _folder(each: Candidate, target: Path) -> Path:
    assert each.folder is not None
    return target / each.folder.name


def _refuse_other_model(each: Candidate, folder: Path) -> None:
    """Make sure that a folder of the same coin and second, if any, holds the same model."""
    assert each.folder is not None
    name = f"{each.name}{MODEL_FILE}"
    there = folder / name
    if folder.is_dir() and (
        not there.is_file() or there.read_bytes() != (each.folder / name).read_bytes()
    ):
        raise PromotionError(
            f"{each.pair}: {folder} holds another model of the same moment; move it away, or "
            "promote to another identifier"
        )


def _entry(folder: Path, each: Candidate, index: Mapping[str, Any]) -> dict[str, Any]:
    extras = index.get(each.pair, {}).get("extras", {})
    return {
        "model_filename": each.name,
        "trained_timestamp": each.second,
        "data_path": str(folder),
        "extras": extras,
    }


def _refuse_gone(pair: str, entry: Mapping[str, Any] | None) -> None:
    if entry and entry.get("data_path") and not Path(entry["data_path"]).is_dir():
        raise PromotionError(
            f"{pair}: the model of before, {entry['data_path']}, is gone; freqai.purge_old_models "
            "removes old ones"
        )


def _index(target: Path) -> _Index:
    return dict(_read(target / PAIR_DICTIONARY, dict))


def _promotions(target: Path) -> list[Any]:
    return list(_read(target / PROMOTIONS, list))


def _read(path: Path, kind: type) -> Any:
    if not path.is_file():
        return kind()
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise PromotionError(f"{path} is damaged ({error}); move it away and try again") from error
    if not isinstance(found, kind):
        raise PromotionError(f"{path} is damaged; move it away and try again")
    return found


def _write(path: Path, content: Any) -> None:
    write_aside(path, json.dumps(content, indent=1).encode())


def _has_model(entry: Mapping[str, Any] | None) -> bool:
    return bool(entry and entry.get("model_filename"))


def _told(entry: Mapping[str, Any] | None) -> str:
    return Path(entry["data_path"]).name if entry and entry.get("data_path") else "no model"
