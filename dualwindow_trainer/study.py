"""Search settings by the skill of their walk-forwards, in a journal that survives a kill."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from dualwindow.cli import CommandError
from dualwindow_trainer.space import Choice

logger = logging.getLogger(__name__)

_NAME = "dualwindow"
_FAILED, _PLAN = "failed", "plan"  # attributes of a trial that cannot be, and of the study


class TrialError(CommandError):
    """What was chosen cannot be: its settings contradict each other, or the candles."""


def open_study(journal: Path, storage: str | None, plan: Mapping[str, Any]) -> optuna.Study:
    """Begin a study, or go on with one of the same plan.

    Parameters
    ----------
    journal : file that it is kept in
    storage : address of a database instead, which many machines can share
    plan : all that a trial depends on beside what it chooses

    Raises
    ------
    CommandError
        If the study there is one of another plan.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept: Any = storage
    if storage is None:
        mend(journal)
        kept = JournalStorage(JournalFileBackend(str(journal)))
    study = optuna.create_study(
        study_name=_NAME, storage=kept, direction="maximize", load_if_exists=True
    )
    before = study.user_attrs.get(_PLAN)
    if before is not None and before != plan:
        changed = sorted(k for k in {*before, *plan} if before.get(k) != plan.get(k))
        raise CommandError(
            f"study: the one there was begun with another {', '.join(changed)}; take another "
            "--out, or the same options"
        )
    study.set_user_attr(_PLAN, dict(plan))
    return study


def mend(journal: Path) -> None:
    """Set a last line aside that a kill has cut off; nothing before it is lost."""
    if not journal.is_file():
        return
    content = journal.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) == len(content):
        return
    tail = journal.with_name(f"{journal.name}.tail")
    tail.write_bytes(content[len(whole) :])
    journal.write_bytes(whole)
    logger.warning("%s ended amid a line, which is in %s now", journal, tail)


def search(
    study: optuna.Study,
    space: Sequence[Choice],
    n_trials: int,
    seed: int,
    skill_of: Callable[[dict[str, Any]], float],
) -> None:
    """Make trials until there are so many; one that was cut off is made again.

    What a trial chooses depends on the seed and on the trials that have ended before it, so a
    study that was killed comes to the same end as one that was not.

    Parameters
    ----------
    skill_of : of settings, which are worth nothing where it raises `TrialError`; what else it
        raises ends the study
    """
    for cut in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(cut.number, state=TrialState.FAIL)
    while (n_done := len(ended(study))) < n_trials:
        # By default it takes no notice of trials that have failed.
        study.sampler = TPESampler(seed=seed + n_done)
        trial = study.ask()
        chosen = {each.key: each.ask(trial) for each in space}
        told = ", ".join(f"{key} = {json.dumps(value)}" for key, value in chosen.items())
        print(f"trial {n_done + 1} of {n_trials}: {told}", flush=True)
        try:
            skill = skill_of(chosen)
        except TrialError as error:
            print(f"trial {n_done + 1} cannot be: {error}", flush=True)
            trial.set_user_attr(_FAILED, str(error))
            study.tell(trial, state=TrialState.FAIL)
            continue
        trial.set_user_attr("chosen", chosen)
        study.tell(trial, skill)
        print(f"trial {n_done + 1}: mean skill {skill:+.4f}", flush=True)


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """List the trials that have come to an end, by a skill or by an error of their settings."""
    trials = study.get_trials(deepcopy=False)
    return [t for t in trials if t.state == TrialState.COMPLETE or _FAILED in t.user_attrs]


def best_first(study: optuna.Study) -> list[FrozenTrial]:
    """List the trials that have a skill, the best one first."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(trials, key=lambda trial: (-(trial.value or 0.0), trial.number))
