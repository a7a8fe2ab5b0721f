"""What a report says: every number and word of it, typed, versioned and readable as JSON.

A page, a picture and a line in a log are pure functions of these. What cannot be said is None.
Moments are seconds since 1970 UTC; fractions are fractions, not per cent.
"""

from typing import Literal

from dualwindow.facts import Numbers

Tone = Literal["good", "bad", "neutral"]
Source = Literal["backtest", "walk-forward", "live"]


class Sentence(Numbers):
    """One thing that a person should know; `topic` is a short name of it, `tone` its colour."""

    topic: str
    tone: Tone
    text: str


class Measured(Numbers):
    """A mean, and its 95 % interval: Student's t over independent windows of time."""

    mean: float | None
    low: float | None
    high: float | None


class Subject(Numbers):
    """What was looked at.

    Parameters
    ----------
    source, name : where the predictions come from; an identifier or a folder
    made_at : when the report was made
    pairs, step, first, last : candles that were predicted; `step` in seconds, `last` exclusive
    kind : of model, in words, as ``ensemble of lstm and trees``
    train_days, history, horizon : days, candles, candles; days are None where they differ
    labels : the rule in words, with its barriers
    barriers : ``long_take_profit`` and so on, fractions; empty where labels have none
    fees : of entry and exit together
    confidence : the rule that decides, in words
    break_even : hit rates that SHORT and LONG need after fees; None without barriers
    versions : of the libraries that shape numbers
    can_short : whether SHORT can be entered; if not, such signals are counted nowhere
    """

    source: Source
    name: str
    made_at: float
    pairs: tuple[str, ...]
    step: int
    first: int
    last: int
    kind: str
    train_days: float | None
    history: int
    horizon: int
    labels: str
    barriers: dict[str, float]
    fees: float
    confidence: str
    break_even: dict[str, float | None]
    versions: dict[str, str]
    can_short: bool = True


class Window(Numbers):
    """What one window of one pair was worth, out of sample; counts are of candles.

    Parameters
    ----------
    block : of time, which windows of several pairs share, see `blocks_of`
    judged, unpredicted : with a prediction and a known label; without a prediction
    log_loss, log_loss_of_frequencies, skill, touch, direction : as `Scores` and `Line` say
    baseline_skill : of three numbers on the same candles
    labels : what became of the candles, by class, and of how many it is unknown
    taught : labels of the training part
    training_windows, validation_loss, seconds : of its training
    """

    pair: str
    start: int
    stop: int
    block: int
    judged: int
    unpredicted: int
    log_loss: float | None
    log_loss_of_frequencies: float | None
    skill: float | None
    touch: float | None
    direction: float | None
    baseline_skill: float | None
    auc_short: float | None
    auc_long: float | None
    labels: dict[str, int]
    taught: dict[str, int]
    training_windows: int
    validation_loss: float | None
    seconds: float


class Rung(Numbers):
    """One who predicted the same candles: the model, three numbers, others that were tried."""

    name: str
    skill: Measured
    above_zero: float
    worst: float
    touch: float | None
    direction: float | None
    calibration_error: float | None
    signals: int
    hit_rate: float | None
    seconds: float | None


class Skill(Numbers):
    """How much better than quoting the class frequencies, and than three numbers.

    Parameters
    ----------
    mean : over the windows; only whole windows of time are independent of each other
    touch, direction : over all candles
    above_zero, windows : how many windows are above 0, and of how many
    baseline : name of the kind of three numbers, None if it could not be asked
    against_baseline : mean skill minus that of the baseline, likewise
    ladder : the best first
    rows : of every window and pair, in the order of time
    """

    mean: Measured
    touch: float | None
    direction: float | None
    above_zero: int
    windows: int
    baseline: str | None
    against_baseline: Measured | None
    ladder: tuple[Rung, ...]
    rows: tuple[Window, ...]


class Signals(Numbers):
    """What entering from a probability on would have met, in one direction.

    Parameters
    ----------
    threshold : entered where the probability is at least this; None for the rule's own decisions
    signals, independent, per_day : candles; those that begin when the one before has ended; per
        day and pair
    hit_rate, base_rate, lift : share that came true, that of all candles, and their ratio
    needed : hit rate at which it pays after fees, if every miss were a full stop
    value, error : mean outcome of the independent ones after fees and its standard error, if only
        whole days are independent of each other; unknown where all are of one day
    busiest : independent ones of the pair that has most
    days : on which independent ones begin, so on how many the error rests
    """

    threshold: float | None
    signals: int
    independent: int | None
    per_day: float
    hit_rate: float | None
    base_rate: float | None
    lift: float | None
    needed: float | None
    value: float | None
    error: float | None
    busiest: int | None = None
    days: int | None = None


class Way(Numbers):
    """One way of deciding: the most probable class, or the confidence rule.

    `confusion` has a row for each true class and a column for each decision: SHORT, HOLD, LONG.
    `short` is None where nobody can short.
    """

    name: str
    candles: int
    accuracy: float | None
    precision: tuple[float | None, ...]
    recall: tuple[float | None, ...]
    f1: tuple[float | None, ...]
    confusion: tuple[tuple[int, ...], ...]
    short: Signals | None
    long: Signals

    @property
    def sides(self) -> dict[str, Signals]:
        """The signals of each direction that can be entered."""
        both = {"SHORT": self.short, "LONG": self.long}
        return {name: each for name, each in both.items() if each is not None}


class Bin(Numbers):
    """Candles of nearly the same probability: what was told, what happened, and its 95 % band."""

    told: float
    happened: float
    low: float
    high: float
    count: int


class LearningCurve(Numbers):
    """The losses of one training, epoch by epoch; `best` is the epoch kept, 0 for none of them.

    Where classes are balanced, these losses are weighted, and that of quoting the frequencies,
    which is not, is None.
    """

    name: str
    start: int
    loss: tuple[float, ...]
    validation_loss: tuple[float, ...]
    best: int
    loss_of_frequencies: float | None


class Importance(Numbers):
    """How much worse the log loss gets when a feature, or a group of them, is shuffled.

    `of_class` says it for each class against the others; of one repeat, `error` is unknown.
    """

    name: str
    is_group: bool
    loss: float
    error: float | None
    of_class: dict[str, float]


class Importances(Numbers):
    """Those of one model, on the validation part of its training (which calibrated it, too).

    `confusion` is that of the most probable class there, as in `Way`.
    """

    pair: str
    trained_until: int
    windows: int
    repeats: int
    log_loss: float
    confusion: tuple[tuple[int, ...], ...]
    rows: tuple[Importance, ...]


class Step(Numbers):
    """A stage of the funnel from candles to trades: how many are left, and why others are not."""

    name: str
    count: int
    lost: dict[str, int]


class Deal(Numbers):
    """A trade that was made; rates in quote currency, profit a fraction of the stake."""

    pair: str
    side: Literal["SHORT", "LONG"]
    opened: float
    closed: float | None
    open_rate: float
    close_rate: float | None
    profit: float | None
    tag: str
    reason: str


class Day(Numbers):
    """One day of one pair, candle by candle; the lists are equally long, None where unknown.

    `actions` are the positions that an agent wanted (1, 0, -1), empty without one.
    """

    pair: str
    date: tuple[int, ...]
    high: tuple[float | None, ...]
    low: tuple[float | None, ...]
    close: tuple[float | None, ...]
    probabilities: dict[str, tuple[float | None, ...]]
    entered_from: dict[str, float | None]
    actions: tuple[int | None, ...]
    deals: tuple[Deal, ...]


class Parity(Numbers):
    """Whether a live run has predicted what a backtest predicts; `checked` 0 means not looked."""

    checked: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]


class LivePair(Numbers):
    """How the bot did with one pair since it started."""

    pair: str
    predictions: int
    without: int
    trainings: int
    failed_trainings: int
    seconds_after_candle: float | None
    kept_out: dict[str, int]
    last_error: str | None


class Live(Numbers):
    """What only a live run has."""

    parity: Parity
    pairs: tuple[LivePair, ...]


class Trials(Numbers):
    """What having tried several costs.

    Parameters
    ----------
    tried : how many
    overfitting : probability that the best one is below the middle on other days
    deflated_sharpe : probability that the true Sharpe ratio of the one that is reported is above 0
    notes : why one of them is not said
    """

    tried: int
    overfitting: float | None
    deflated_sharpe: float | None
    notes: tuple[str, ...]


class Returns(Numbers):
    """Daily returns of trades, or of independent signals after fees where nobody traded.

    Every pair has a stake of its own, which profits do not change: a day's return is what trades
    that ended on it brought, the mean over the pairs. `date` is when the day begins.
    """

    of: Literal["trades", "signals"]
    date: tuple[int, ...]
    value: tuple[float, ...]


class AgentRow(Numbers):
    """An agent of one seed, or what it is held against; growth is a fraction per day and pair."""

    name: str
    is_baseline: bool
    growth: float | None
    more: dict[str, float | None]


class Agents(Numbers):
    """What `dualwindow agent evaluate` has found, and what an agent did here, as far as known.

    `positions` are those it wanted (1, 0, -1), by pair: (moment, position) of the first candle and
    of each change.
    """

    rows: tuple[AgentRow, ...]
    median: str | None
    worst: str | None
    notes: tuple[str, ...]
    positions: dict[str, tuple[tuple[int, int], ...]]


class Findings(Numbers):
    """The whole report.

    `deals` counts trades that were made, and `profit` adds up those that have ended, as a share of
    one stake; `profit_error` is the standard error of their mean, if only whole days are
    independent of each other, and `profit_days` on how many they began.
    """

    format: Literal[1] = 1
    subject: Subject
    verdict: tuple[Sentence, ...]
    skill: Skill
    ways: tuple[Way, ...]
    thresholds: dict[str, tuple[Signals, ...]]
    entered_from: dict[str, float | None]
    reliability: dict[str, tuple[Bin, ...]]
    learning: tuple[LearningCurve, ...]
    dropped: dict[str, int]
    importances: tuple[Importances, ...]
    funnel: tuple[Step, ...]
    exits: dict[str, int]
    days: tuple[Day, ...]
    deals: int
    profit: float | None
    live: Live | None
    trials: Trials | None
    agents: Agents | None
    warnings: tuple[str, ...]
    returns: Returns | None = None
    profit_error: float | None = None
    profit_days: int | None = None
