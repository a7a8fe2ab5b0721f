"""Search settings by the skill of their walk-forwards, in a journal or a database."""

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from dualwindow.cli import CommandError
from dualwindow.learning.fingerprint import all_differences, flatten
from dualwindow.learning.fold_store import in_backticks
from dualwindow.reports.progress import steps
from dualwindow_freqtrade.freqai.configuration import translated
from dualwindow_trainer.space import Choice

logger = logging.getLogger(__name__)

_NAME, _JOURNAL = "dualwindow", "journal.log"
_SHAPING = ("settings", "code", "versions")  # of a plan, as `plan_of` names them
_FAILED, _PLAN = "failed", "plan"  # attributes of a trial that cannot be, and of the study


class TrialError(CommandError):
    """What was chosen cannot be: its settings contradict each other, or the candles."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other studies out of a folder, and remove what a killed one has left there.

    Raises
    ------
    CommandError
        If another one is at work in it.
    """
    with (folder / "lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError(f"study: another one is at work in {folder}") from error
        # Optuna's own; it waits for one whose owner is gone.
        (folder / f"{_JOURNAL}.lock").unlink(missing_ok=True)
        yield


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Wait until no other process is between these lines with the same path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def open_study(folder: Path, plan: Mapping[str, Any], address: str | None = None) -> optuna.Study:
    """Begin a study, or go on with one of the same plan.

    Parameters
    ----------
    folder : of the journal, which nobody else uses, see `alone`
    plan : all that a trial depends on beside what it chooses
    address : of a database, instead of the journal

    Raises
    ------
    CommandError
        If the study there is one of another plan, or there is no such database.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = _journal(folder) if address is None else _database(address)
    study = optuna.create_study(
        study_name=_NAME, storage=storage, direction="maximize", load_if_exists=True
    )
    told = json.loads(json.dumps(plan))
    before = study.user_attrs.get(_PLAN)
    if before is not None and before != told:
        changed = map(translated, all_differences(_named(before), _named(told)))
        raise CommandError(
            f"study: the one there was begun otherwise: {'; '.join(changed)}; take another "
            f"{'--out' if address is None else '--storage'}, or what it was begun with"
        )
    study.set_user_attr(_PLAN, told)
    return study


def _named(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a plan, and name the user's settings in backticks."""
    shaping = in_backticks(plan)
    return shaping | flatten({k: v for k, v in plan.items() if k not in _SHAPING})


def _journal(folder: Path) -> BaseStorage:
    journal = folder.resolve() / _JOURNAL
    mend(journal)
    return JournalStorage(JournalFileBackend(str(journal)))


def _database(address: str) -> BaseStorage:
    try:
        return RDBStorage(address)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        # Not what was given, nor what was read of it: there may be a password in it.
        is_told = not isinstance(error, ValueError)
        reason = str(error).partition("\n")[0] if is_told else "it cannot be read"
        raise CommandError(
            f"study: --storage: there is no database at this address ({reason}); it must be like "
            "sqlite:///FILE, mysql://USER:PASSWORD@HOST/NAME or postgresql://..., with its driver "
            "installed"
        ) from error


def mend(journal: Path) -> None:
    """Set a last line aside that a kill has cut off; nothing before it is touched."""
    if not journal.is_file():
        return
    content = journal.read_bytes()
    n_whole = content.rfind(b"\n") + 1
    if n_whole == len(content):
        return
    tail, n = journal.with_name(f"{journal.name}.tail"), 1
    while tail.exists():
        n += 1
        tail = journal.with_name(f"{journal.name}.tail-{n}")
    tail.write_bytes(content[n_whole:])
    os.truncate(journal, n_whole)
    logger.warning("%s ended amid a line, which is in %s now", journal, tail)


def search(
    study: optuna.Study,
    space: Sequence[Choice],
    n_trials: int,
    seed: int,
    skill_of: Callable[[dict[str, Any]], float],
    shared: Path | None = None,
) -> None:
    """Make trials until there are so many; one that was cut off is made again.

    What a trial chooses depends on the seed and on the trials that have ended before it, so a
    study that was killed comes to the same end as one that was not. Where others search too, it
    also depends on how many trials are at work, and of one that was cut off nothing comes: another
    is made in its place.

    Parameters
    ----------
    shared : a file that all processes with trials of the same study hold while they choose; None
        where there is only this one
    skill_of : of settings, which are worth nothing where it raises `TrialError`; what else it
        raises ends the study
    """
    for cut in at_work(study) if shared is None else []:
        study.tell(cut.number, state=TrialState.FAIL)
    with steps("trials", n_trials) as done:
        for _ in ended(study):
            done.find()
        while (begun := _begin(study, space, n_trials, seed, shared)) is not None:
            n_done, trial, chosen = begun
            told = ", ".join(f"{key} = {json.dumps(value)}" for key, value in chosen.items())
            done.say(f"trial {n_done + 1} of {n_trials}: {told}")
            done.say(f"trial {n_done + 1}{_made(study, trial, chosen, skill_of)}")
            done.advance()


def _begin(
    study: optuna.Study, space: Sequence[Choice], n_trials: int, seed: int, shared: Path | None
) -> tuple[int, optuna.Trial, dict[str, Any]] | None:
    """Let the next trial choose; say how many have ended, or None where it is enough."""
    with nullcontext() if shared is None else one_at_a_time(shared):
        if (n_done := len(ended(study))) >= n_trials:
            return None
        others = [len(running)] if (running := at_work(study)) else []
        # By default it takes no notice of trials that have failed.
        study.sampler = TPESampler(
            seed=_seed_of(seed, n_done, *others), constant_liar=shared is not None
        )
        trial = study.ask()
        return n_done, trial, {each.key: each.ask(trial) for each in space}


def _made(
    study: optuna.Study,
    trial: optuna.Trial,
    chosen: dict[str, Any],
    skill_of: Callable[[dict[str, Any]], float],
) -> str:
    """Make a trial, and say what came of it."""
    try:
        skill = skill_of(chosen)
    except TrialError as error:
        trial.set_user_attr(_FAILED, str(error))
        study.tell(trial, state=TrialState.FAIL)
        return f" cannot be: {error}"
    trial.set_user_attr("chosen", chosen)
    study.tell(trial, skill)
    return f": mean skill {skill:+.4f}"


def at_work(study: optuna.Study) -> list[FrozenTrial]:
    """List the trials that have been begun and have not ended, or never will."""
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


def _seed_of(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """List the trials that have come to an end, by a skill or by an error of their settings."""
    trials = study.get_trials(deepcopy=False)
    return [t for t in trials if t.state == TrialState.COMPLETE or _FAILED in t.user_attrs]


def best_first(study: optuna.Study) -> list[FrozenTrial]:
    """List the trials that have a skill, the best one first."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(trials, key=lambda trial: (-(trial.value or 0.0), trial.number))
