"""Those whom an agent has to beat: they act on the same tapes, by the same terms and costs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.judging.decisions import ExpectedValue, decide
from dualwindow.market.labels import LONG as RISES
from dualwindow.market.labels import SHORT as FALLS
from dualwindow.outside import chance
from dualwindow_agent.market.accounts import FLAT, LONG, SHORT, Terms
from dualwindow_agent.market.following import Chooser, Course, follow
from dualwindow_agent.market.observation import names_of
from dualwindow_agent.market.tape import Tape
from dualwindow_agent.settings import AgentSettings

_KEEP = -1  # of a plan: stay as you are


@dataclass(frozen=True)
class Ground:
    """Where all are judged: the tapes and terms of an agent, with the positions flat, long, short.

    Whatever the agent's actions are, those that it is held against take one of three positions.

    Parameters
    ----------
    tapes, settings, terms : as for `follow`
    """

    tapes: tuple[Tape, ...]
    settings: AgentSettings
    terms: Terms

    @classmethod
    def of(cls, tapes: Sequence[Tape], settings: AgentSettings, terms: Terms) -> "Ground":
        """Take those of an agent."""
        market = terms.market.model_copy(update={"actions": "positions"})
        plain = settings.model_copy(update={"market": market, "observation": "default"})
        return cls(tuple(tapes), plain, terms._replace(market=market))

    def under(self, **market: bool) -> "Ground":
        """Change the market's settings."""
        changed = self.terms.market.model_copy(update=market)
        settings = self.settings.model_copy(update={"market": changed})
        return replace(self, settings=settings, terms=self.terms._replace(market=changed))

    def follow(self, choose: Chooser) -> list[Course]:
        """Let one account for each tape be decided for."""
        return follow(choose, self.tapes, self.settings, self.terms)

    def by_plan(self, plans: Sequence[IntArray]) -> list[Course]:
        """Let each account follow a plan of its own: (m,) positions, or -1 to stay as it is.

        Entering again while something is held is staying, and so is the other side of it.
        """
        names = names_of("default")
        own = [names.index("is_long"), names.index("is_short")]

        def choose(seen: FloatArray, allowed: BoolArray, rows: IntArray) -> IntArray:
            is_long, is_short = seen[:, own].T > 0
            stay = np.where(is_long, LONG, np.where(is_short, SHORT, FLAT))
            plan = np.array([p[min(r, len(p) - 1)] for p, r in zip(plans, rows, strict=True)])
            held = is_long | is_short
            return np.where((plan == _KEEP) | (held & (plan != FLAT)), stay, plan)

        return self.follow(choose)


def always_flat(ground: Ground) -> list[Course]:
    """Do nothing."""
    return ground.follow(lambda seen, allowed, rows: np.full(len(rows), FLAT, np.int64))


def buy_and_hold(ground: Ground) -> list[Course]:
    """Buy at the first open, and keep it: no prediction is asked, no barrier or horizon ends it."""
    free = replace(ground, tapes=_unasked(ground.tapes)).under(barriers=False, horizon=False)
    return free.follow(lambda seen, allowed, rows: np.full(len(rows), LONG, np.int64))


def _unasked(tapes: Sequence[Tape]) -> tuple[Tape, ...]:
    """Let anything be entered everywhere, for those who ask no prediction."""
    return tuple(
        replace(
            tape,
            valid=np.ones(len(tape), dtype=bool),
            probabilities=np.full((len(tape), 3), 1 / 3),
        )
        for tape in tapes
    )


def uniform(ground: Ground, seed: int = 0) -> list[Course]:
    """Take every allowed action equally often, as a policy does that has learnt nothing yet."""
    rng = chance(seed)

    def choose(seen: FloatArray, allowed: BoolArray, rows: IntArray) -> IntArray:
        return np.where(allowed, rng.random(allowed.shape), -1.0).argmax(axis=1)

    return ground.follow(choose)


def expected_value(ground: Ground, margin: float = 0.0) -> list[Course]:
    """Enter what is worth more than both fees, and leave it to the barriers and the horizon.

    It is the strategy's rule: flat, and with a prediction, it enters the side whose expected value
    exceeds the margin. What it holds ends by the barriers and the horizon, also where they do not
    end what the agent holds: the rule only enters. Slippage counts as a fee.

    Raises
    ------
    ConfidenceError
        If labels have no take-profits, or no signal could be worth its fees.
    """
    market = ground.terms.market
    rule = ExpectedValue(ground.terms.barriers, 2 * (market.fee + market.slippage), margin)
    plans = []
    for tape in ground.tapes:
        decided = decide(tape.probabilities[tape.first :], rule)
        plans.append(np.select([decided == RISES, decided == FALLS], [LONG, SHORT], _KEEP))
    return ground.under(barriers=True, horizon=True).by_plan(plans)


def same_turnover(
    ground: Ground, agent: Sequence[Course], n: int = 10, seed: int = 0
) -> list[list[Course]]:
    """Act at random as often as an agent, and hold as long: n times.

    The agent's own holding periods are put at random places of its tape, in a random order and on
    random sides. Each is entered once, also where a barrier ends it early, so nearly as much is
    traded as by the agent, for up to as long: a barrier ends some earlier, and one may end with the
    tape. An agent that trades in parts is held against whole positions of the same turnover.

    Parameters
    ----------
    agent : its courses on the tapes of `ground`, in their order
    n : how many such agents
    seed : of the places
    """
    rng = chance(seed)
    market = ground.terms.market
    plans = []
    for _ in range(n):
        for course in agent:
            n_trades = round(float(course.traded.sum()) / (2 * market.leverage))
            lengths = rng.permutation(_as_many(holding_periods(course.side), n_trades, rng))
            sides = np.where((rng.random(n_trades) < 0.5) | (not market.shorts), LONG, SHORT)
            plans.append(_placed(lengths, sides, len(course.side), rng))
    courses = replace(ground, tapes=_unasked(ground.tapes) * n).by_plan(plans)
    size = len(ground.tapes)
    return [courses[i * size : (i + 1) * size] for i in range(n)]


def holding_periods(side: IntArray) -> IntArray:
    """Measure how many candles in a row the same side was held, period by period.

    Examples
    --------
    >>> holding_periods(np.array([0, 1, 1, 0, -1, 1, 1, 1]))
    array([2, 1, 3])
    """
    changes = np.flatnonzero(np.diff(side, prepend=0, append=0))
    starts, ends = changes[:-1], changes[1:]
    return (ends - starts)[side[starts] != 0]


def _as_many(lengths: IntArray, n: int, rng: np.random.Generator) -> IntArray:
    """Draw n of the periods where there are more or fewer, as where a candle ends what it began."""
    if len(lengths) == n:
        return lengths
    return rng.choice(lengths if len(lengths) else np.ones(1, np.int64), n)


def _placed(lengths: IntArray, sides: IntArray, n_rows: int, rng: np.random.Generator) -> IntArray:
    """Lay periods out over rows, each after a flat candle at least: a plan."""
    plan = np.full(n_rows, FLAT, dtype=np.int64)
    room = n_rows - len(lengths)
    if len(lengths) == 0 or room < len(lengths):
        lengths = lengths[: max(room // 2, 0)]
    while (excess := int(lengths.sum()) - room) > 0:  # of drawn ones, more than there were
        longest = int(lengths.argmax())
        lengths[longest] = max(int(lengths[longest]) - excess, 1)
    free = room - int(lengths.sum())
    gaps = np.diff(np.sort(rng.integers(0, free + 1, len(lengths))), prepend=0) + 1
    starts = np.cumsum(gaps) + np.concatenate([[0], np.cumsum(lengths)[:-1]])
    for start, length, side in zip(starts.tolist(), lengths.tolist(), sides.tolist(), strict=False):
        plan[start : start + length] = _KEEP
        plan[start] = side
    return plan
