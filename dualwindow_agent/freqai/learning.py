"""Train an agent on what classifiers say of candles that they have not seen, within one window."""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from dualwindow.learning.artifact import Artifact
from dualwindow.learning.folds import Fold, FoldError, Schedule
from dualwindow.learning.walk_forward import Member, tasks
from dualwindow.market.candles import Candles
from dualwindow.market.labels import Labelling
from dualwindow.samples.data import TrainingData, TrainingError
from dualwindow.samples.pair_data import PairData
from dualwindow.settings import Settings
from dualwindow_agent.freqai.acting import LOOKBACK
from dualwindow_agent.freqai.configuration import BLOCK, AgentBlock
from dualwindow_agent.learning.policy import Policy
from dualwindow_agent.learning.processes import train_apart
from dualwindow_agent.learning.training import AgentTask, Progress
from dualwindow_agent.learning.training import TrainingError as AgentTrainingError
from dualwindow_agent.market.tape import Tape, TapeError, split

logger = logging.getLogger(__name__)

_DAY = 86400
Learn = Callable[[Sequence[TrainingData]], dict[str, Artifact]]


def newest_days(
    group: Sequence[TrainingData], settings: Settings, days: float
) -> list[TrainingData]:
    """Cut out the latest days of each pair, for the classifier that will predict."""
    stop = _stop(group)
    labelling = Labelling.of(settings)
    return [_pair(data).between(stop - days * _DAY, stop, labelling) for data in group]


def out_of_sample_tapes(
    group: Sequence[TrainingData], settings: Settings, block: AgentBlock, learn: Learn
) -> list[Tape]:
    """Predict the later part of a window by classifiers that have not seen it.

    Parameters
    ----------
    group : one window of one or several pairs
    settings : of the classifier
    block : how long each learns and predicts
    learn : trains one classifier of pairs, as the one that will predict in the end is trained

    Returns
    -------
    Of each pair the predicted candles, in one piece; several where candles are missing between.

    Raises
    ------
    TrainingError
        If the candles are too few, or no classifier can be trained.
    """
    pairs, stop = [_pair(data) for data in group], _stop(group)
    days = block.classifier_days
    begin = min(int(pair.candles.date[0]) for pair in pairs)
    schedule = Schedule(begin + round(days * _DAY), stop, days, block.window_days)
    try:
        wanted, remarks = tasks(pairs, schedule, settings)
    except FoldError as error:
        raise TrainingError(f"the agent has too few candles to learn from: {error}") from error
    for remark in remarks:
        logger.info("Agent: %s", remark)
    found: dict[str, list[tuple[Member, Artifact]]] = {pair.pair: [] for pair in pairs}
    for i, task in enumerate(wanted):
        _log_classifier(i + 1, len(wanted), task.members[0].fold)
        models = learn([member.data for member in task.members])
        for member in task.members:
            found[member.fold.pair].append((member, models[member.fold.pair]))
    return [tape for pair in pairs for tape in _tapes(pair, found[pair.pair])]


def _tapes(pair: PairData, predicted: Sequence[tuple[Member, Artifact]]) -> Iterator[Tape]:
    n = len(pair.candles)
    probabilities, valid = np.full((n, 3), np.nan), np.zeros(n, dtype=bool)
    asked = np.zeros(n, dtype=bool)
    for member, model in predicted:
        rows = np.searchsorted(pair.candles.date, member.candles.date)
        prediction = model.predict(member.candles, member.features)
        sound = prediction.valid & (not model.record.is_constant)
        probabilities[rows] = np.where(sound[:, None], prediction.probabilities, np.nan)
        valid[rows], asked[rows] = sound, True
    for piece in _whole_pieces(pair.candles):
        acted = np.flatnonzero(asked[piece])
        if len(acted) < 2:
            continue
        last = piece.start + int(acted[-1]) + 1
        first = max(piece.start, piece.start + int(acted[0]) - LOOKBACK)
        part = slice(first, last)
        yield Tape(
            pair.pair,
            pair.candles[part],
            probabilities[part],
            valid[part],
            first=piece.start + int(acted[0]) - first,
        )


def _whole_pieces(candles: Candles) -> list[slice]:
    """Divide candles where one is missing or has no price."""
    assert candles.open is not None
    priced = candles.priced & np.isfinite(candles.open) & (candles.open > 0)
    usable = np.flatnonzero(priced)
    cuts = np.flatnonzero(candles.breaks[usable][1:] | (np.diff(usable) > 1)) + 1
    return [slice(int(p[0]), int(p[-1]) + 1) for p in np.split(usable, cuts) if len(p)]


def train_agent(
    tapes: Sequence[Tape],
    settings: Settings,
    block: AgentBlock,
    interrupt: Callable[[], None],
    tensorboard: Path | None = None,
) -> Policy:
    """Train the agent in a process of its own, and choose the best on the latest share.

    Parameters
    ----------
    tapes : to learn from, and to choose on
    settings, block : of the classifier, and of the agent
    interrupt : what it raises ends the training
    tensorboard : folder of its logs, or None

    Raises
    ------
    TrainingError
        If the tapes are too short, or the process fails.
    """
    labelling, learning = Labelling.of(settings), block.agent.learning
    try:
        learn, validate = split(tapes, learning.validation, labelling.horizon)
        task = AgentTask(
            tuple(learn),
            tuple(validate),
            block.agent,
            labelling.barriers,
            labelling.horizon,
            {"pairs": sorted({tape.pair for tape in tapes})},
            tensorboard=tensorboard,
        )
        _log_begin(tapes, task.total)
        trained = train_apart(task, _log_progress, interrupt)
    except (TapeError, AgentTrainingError) as error:
        raise TrainingError(
            f"the agent cannot be trained: {error} ({BLOCK}, freqai.train_period_days)"
        ) from error
    _log_end(trained.history[-1], trained.best)
    if trained.loses:
        logger.warning(
            "Agent: all that it has learnt loses on validation, so it stays flat until the next "
            "training; more days (%s, freqai.train_period_days) or timesteps may help",
            BLOCK,
        )
    return trained.acting()


def _log_progress(progress: Progress) -> None:
    logger.debug(
        "Agent: %d of %d candles, validation %.4f %% a day, %.1f trades",
        progress.timesteps,
        progress.total,
        100 * progress.growth,
        progress.trades_per_day,
    )


def _log_classifier(number: int, n: int, fold: Fold) -> None:
    moments = np.array([fold.train_from, fold.start, fold.stop], dtype="datetime64[s]")
    logger.info(
        "Agent: classifier %d of %d learns from %s on and predicts %s to %s for it",
        number,
        n,
        *moments.astype("datetime64[m]"),
    )


def _log_begin(tapes: Sequence[Tape], timesteps: int) -> None:
    days = sum((len(t) - t.first) * t.candles.step for t in tapes) / _DAY
    pairs = sorted({tape.pair for tape in tapes})
    logger.info(
        "Agent: learns for %s timesteps from %.1f days of out-of-sample predictions of %s",
        f"{timesteps:,}",
        days / len(pairs),
        ", ".join(pairs),
    )


def _log_end(last: Progress, best: Progress) -> None:
    flat = "; it has learnt to stay flat" if best.trades_per_day == 0 else ""
    logger.info(
        "Agent: learnt in %.0f s; best after %s of %s timesteps: on validation %+.3f %% and %.1f "
        "trades a day and pair%s",
        last.seconds,
        f"{best.timesteps:,}",
        f"{last.total:,}",
        100 * best.growth,
        best.trades_per_day,
        flat,
    )


def _pair(data: TrainingData) -> PairData:
    return PairData(data.pair, data.candles, data.features, data.feature_names)


def _stop(group: Sequence[TrainingData]) -> int:
    return max(int(data.candles.date[-1]) + data.candles.step for data in group)
