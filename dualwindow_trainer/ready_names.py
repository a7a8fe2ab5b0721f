"""Name training-ready files as a published trainer does, and hold names against settings."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from dualwindow.cli import CommandError
from dualwindow.learning.artifact_files import pair_folder
from dualwindow.market.ready_files import ONE_HOT, SINGLE
from dualwindow.settings import LabelSettings, Settings
from dualwindow_freqtrade.freqai.configuration import users_key

# The first is preferred where both files are there.
_FORMS = {"single_label": SINGLE, "training_ready": ONE_HOT}
ENDINGS = tuple(f"__{form}.feather" for form in _FORMS)
EXAMPLE = "BTCUSDT_TF-1m__FW-120__SL-050__TP-100__training_ready.feather"
_NAME = re.compile(
    r"(?P<pair>.+)_TF-(?P<timeframe>[^_]+)__FW-(?P<horizon>\d{3,})__SL-(?P<stop>\d{3,})"
    r"__TP-(?P<take>\d{3,})__(?P<form>training_ready|single_label)\.feather"
)
_NEARLY = 0.01 - 1e-9  # per cent points; a name that differs in its last digit is another


class Wanted(NamedTuple):
    """The settings that the names of files are held against.

    Parameters
    ----------
    settings : in effect
    remedy : what to do where a name says otherwise
    """

    settings: Settings
    remedy: str


def is_ready(path: Path) -> bool:
    """Tell by its name whether a file is training-ready."""
    return path.name.endswith(ENDINGS)


def label_columns(path: Path) -> Sequence[str]:
    """Say in which columns a file of this name has its labels."""
    return SINGLE if path.name.endswith(ENDINGS[0]) else ONE_HOT


def ready_name(pair: str, timeframe: str, settings: Settings, columns: Sequence[str]) -> str:
    """Name the file of a pair; per cent times 100 are rounded, never cut off: 0.29 % is 029.

    Raises
    ------
    CommandError
        If a name cannot say the settings: it holds one stop and one take-profit, in hundredths of
        a per cent.

    Examples
    --------
    >>> ready_name("BTC/USDT", "1m", Settings(), ONE_HOT)
    'BTCUSDT_TF-1m__FW-120__SL-050__TP-100__training_ready.feather'
    """
    stop, take = (_percent(settings, side) for side in ("stop_loss", "take_profit"))
    form = next(form for form, labels in _FORMS.items() if labels == columns)
    name = f"{pair_folder(pair)}_TF-{timeframe}__FW-{settings.horizon:03d}"
    return f"{name}__SL-{stop}__TP-{take}__{form}.feather"


def _percent(settings: Settings, side: str) -> str:
    keys = [f"{of}_{side}" for of in ("long", "short")]
    labels = _barriers(settings)
    long, short = (float(getattr(labels, key)) for key in keys)
    told = " and ".join(_key(f"labels.{key}") for key in keys)
    if abs(long - short) > 1e-9:
        raise CommandError(
            f"{told} must be the same, because the name of a training-ready file holds one of "
            f"them. Received: {long:g} and {short:g}"
        )
    hundredths = round(1e4 * long)
    if abs(1e4 * long - hundredths) > 1e-6 or hundredths == 0:
        raise CommandError(
            f"{told} must be a whole number of hundredths of a per cent, because the name of a "
            f"training-ready file says no more. Received: {long:g}, which is {100 * long:g} %"
        )
    return f"{hundredths:03d}"


def _barriers(settings: Settings) -> LabelSettings:
    """Give the barriers; labels without take-profits have no name."""
    labels = settings.labels
    if not isinstance(labels, LabelSettings):
        raise CommandError(
            f"{_key('labels.rule')} '{labels.rule}' has no take-profit, which a training-ready "
            "file is named by; set it to 'exclusive' or 'first_touch'"
        )
    return labels


def _key(place: str) -> str:
    return users_key(f"settings.{place}")


def refuse_other_name(path: Path, pair: str, timeframe: str, wanted: Wanted) -> None:
    """Refuse a file whose name says another pair, timeframe, horizon or barrier.

    Raises
    ------
    CommandError
        It names every difference, and what to change.
    """
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise CommandError(f"{pair}: {path.name} must be a name like {EXAMPLE}")
    said = match.groupdict()
    differences = list(_differences(said, pair, timeframe, wanted.settings))
    if differences:
        told = "; ".join(differences)
        raise CommandError(f"{pair}: {path.name} does not fit: {told}; {wanted.remedy}")


def _differences(
    said: dict[str, str], pair: str, timeframe: str, settings: Settings
) -> Iterator[str]:
    if said["pair"] != pair_folder(pair):
        yield f"it is of {said['pair']}, --pair is {pair} ({pair_folder(pair)})"
    if said["timeframe"] != timeframe:
        yield f"its TF is {said['timeframe']}, --timeframe is {timeframe}"
    if int(said["horizon"]) != settings.horizon:
        yield f"its FW is {int(said['horizon'])}, {_key('horizon')} is {settings.horizon}"
    labels = _barriers(settings)
    for short_name, side in (("stop", "stop_loss"), ("take", "take_profit")):
        percent = int(said[short_name]) / 100
        for of in ("long", "short"):
            mine = float(getattr(labels, f"{of}_{side}"))
            if abs(percent - 100 * mine) >= _NEARLY:
                key = _key(f"labels.{of}_{side}")
                yield (
                    f"its {'SL' if short_name == 'stop' else 'TP'} is {percent:.2f} % "
                    f"({percent / 100:g}), {key} is {mine:g}"
                )


def find_ready(folder: Path, pair: str, timeframe: str, settings: Settings) -> Path:
    """Find the file of a pair in a folder; that with one label column, if both are there.

    Raises
    ------
    CommandError
        If there is none; it says what was expected, and what is there.
    """
    names = [ready_name(pair, timeframe, settings, columns) for columns in _FORMS.values()]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise CommandError(_what_is_missing(pair, folder, " or ".join(names)))


def refuse_missing(path: Path, pair: str) -> None:
    """Refuse a file that is not there: expected path, name, folder and pair are told."""
    if not path.is_file():
        raise CommandError(_what_is_missing(pair, path.parent, path.name))


def _what_is_missing(pair: str, folder: Path, name: str) -> str:
    there = sorted(p.name for p in folder.glob("*.feather") if is_ready(p))
    told = f"there are: {', '.join(there)}" if there else "it holds no training-ready file"
    if not folder.is_dir():
        told = "the folder does not exist"
    return (
        f"{pair}: expected {folder / name.partition(' or ')[0]}: no file {name} in the folder "
        f"{folder} ({told}); dualwindow prepare writes it"
    )
