import itertools
from dataclasses import replace

import numpy as np
import pytest
from agent.examples_agent import ByHand, flat_tape, random_tape, settings_of, tape_of, terms_of

from dualwindow.market.candles import Candles
from dualwindow.market.labels import Barriers
from dualwindow_agent.market.accounts import FLAT, LONG, Accounts
from dualwindow_agent.market.arena import Arena
from dualwindow_agent.market.tape import TapeError
from dualwindow_agent.settings import PUBLISHED

OPTIONS = list(
    itertools.product(("positions", "published"), (1.0, 5.0), (0.0, 0.001), *[(True, False)] * 3)
)


@pytest.mark.parametrize("case", range(len(OPTIONS)))
def test_accounts_side_by_side_are_accounts_kept_by_hand(case):
    kind, leverage, slippage, barriers, horizon, shorts = OPTIONS[case]
    settings = settings_of(
        actions=kind,
        leverage=leverage,
        slippage=slippage,
        barriers=barriers,
        horizon=horizon,
        shorts=shorts,
        maintenance=0.02,
    )
    without = case % 3 == 0  # labels without take-profits
    distances = (
        Barriers(np.inf, 0.02, np.inf, 0.03) if without else Barriers(0.02, 0.01, 0.015, 0.012)
    )
    terms = terms_of(settings, distances)
    tapes = [random_tape(90, seed=case), random_tape(80, seed=case + 500, jumps=0.05)]
    n, rng = 12, np.random.default_rng(case)
    arena = Arena(tapes, settings, terms, n, seed=0)
    rows = np.concatenate([np.arange(6), 90 + np.arange(6)])
    until = np.repeat([89, 169], 6)
    arena.begin(rows, until)
    bars = np.concatenate(
        [np.stack([t.opens, t.candles.high, t.candles.low, t.candles.close], axis=1) for t in tapes]
    ).tolist()
    valid = np.concatenate([tape.valid for tape in tapes]).tolist()
    hands = [ByHand(terms, bars[row][3]) for row in rows]
    at, n_checked = rows.tolist(), 0
    broken = np.zeros(n, dtype=bool)
    for _ in range(84):
        wished = rng.integers(0, arena.exchange.n_actions, n)
        # Some stay long enough in a position for the horizon to end it.
        wished = np.where(rng.random(n) < 0.6, arena.kept_action(), wished)
        mask = arena.allowed()
        _, broke, over = arena.step(wished)
        for i, hand in enumerate(hands):
            if broken[i] or at[i] >= until[i]:
                continue
            may_enter = valid[at[i]]
            assert mask[i].tolist() == [
                hand.can(a, may_enter=may_enter) for a in range(mask.shape[1])
            ]
            at[i] += 1
            hand.step(int(wished[i]), tuple(bars[at[i]]), may_enter=may_enter)
            n_checked += 1
        broken |= broke
        assert over.tolist() == [a >= u for a, u in zip(at, until, strict=True)]
        for name in Accounts.NAMES:
            expected = [getattr(hand, name) for hand in hands]
            np.testing.assert_allclose(
                getattr(arena.accounts, name), expected, rtol=1e-9, atol=1e-9, err_msg=name
            )
    assert n_checked > 400


def bare(**market):
    return settings_of(**{"fee": 0.0, "barriers": False, "horizon": False, **market})


def begun(arena: Arena) -> np.ndarray:
    return arena.begin(*arena.whole_tapes())


def test_it_acts_at_the_next_open_and_is_marked_at_its_close():
    # Prices are ten times the row, opens a bit more: a wrong row shows as a wrong price.
    row = np.arange(1, 8) * 10.0
    tape = tape_of(np.stack([row + 1, row + 3, row, row + 2], axis=1))
    settings = bare()
    arena = Arena([tape], settings, terms_of(settings), 1, seed=0)
    begun(arena)
    assert arena.accounts.mark[0] == 12  # the close that was decided on
    arena.step(np.array([LONG]))
    assert arena.row[0] == 1
    assert arena.accounts.entry[0] == 21
    assert arena.accounts.mark[0] == 22
    assert arena.accounts.worth[0] == pytest.approx(22 / 21)
    arena.step(np.array([LONG]))
    assert arena.accounts.mark[0] == 32
    arena.step(np.array([FLAT]))
    assert arena.accounts.worth[0] == pytest.approx(41 / 21)


@pytest.mark.parametrize("t", [12, 30])
def test_nothing_after_a_candle_changes_what_was_seen_or_paid_until_it(t, actions):
    settings = settings_of(actions=actions)
    if actions == "published":
        settings = settings.model_copy(
            update={"observation": "published", "reward": PUBLISHED.reward}
        )
    tape = random_tape(60, seed=1)
    c = tape.candles
    wild = random_tape(60, seed=2, volatility=0.1)
    changed = replace(
        tape,
        candles=Candles(
            c.date,
            *(
                np.where(np.arange(60) <= t, old, new)
                for old, new in (
                    (c.high, wild.candles.high),
                    (c.low, wild.candles.low),
                    (c.close, wild.candles.close),
                    (c.volume, wild.candles.volume),
                )
            ),
            c.step,
            open=np.where(np.arange(60) <= t, tape.opens, wild.opens),
        ),
        probabilities=np.where(np.arange(60)[:, None] <= t, tape.probabilities, wild.probabilities),
        valid=np.where(np.arange(60) <= t, tape.valid, wild.valid),
    )
    seen = []
    for each in (tape, changed):
        arena = Arena([each], settings, terms_of(settings), 1, seed=0)
        rng, kept = np.random.default_rng(4), [(begun(arena), arena.allowed())]
        for _ in range(59):
            wished = (rng.random(arena.exchange.n_actions) * arena.allowed()).argmax(axis=1)
            paid, *ends = arena.step(wished)
            kept.append((arena.seen(), arena.allowed(), paid, *ends))
        seen.append(kept)
    for first, second in zip(*(kept[: t + 1] for kept in seen), strict=True):
        for a, b in zip(first, second, strict=True):
            np.testing.assert_array_equal(a, b)
    assert not np.array_equal(seen[0][t + 1][0], seen[1][t + 1][0])


def test_episodes_end_at_the_ends_of_tapes_and_never_go_on_in_the_next():
    # Of different prices: a step from one to the other would be a fortune.
    tapes = [flat_tape(np.full(n, price)) for n, price in ((7, 1.0), (2, 1e3), (30, 1e6))]
    settings = bare(episode=10)
    arena = Arena(tapes, settings, terms_of(settings), 64, seed=0)
    ends = np.array([6, 8, 38])
    arena.reset()
    begun_at, n_ended, starts = arena.row, 0, set()
    for _ in range(400):
        starts |= set(begun_at.tolist())
        expected = np.minimum(begun_at + 10, ends[np.searchsorted(ends, begun_at)])
        _, broken, over = arena.step(np.full(64, LONG))
        assert not broken.any()
        np.testing.assert_array_equal(over, arena.row == expected)
        np.testing.assert_allclose(arena.accounts.worth, 1, rtol=1e-12)
        arena.reopen(over)
        begun_at = np.where(over, arena.row, begun_at)
        n_ended += over.sum()
    assert n_ended > 2000
    assert starts == {*range(6), 7, *range(9, 38)}  # every row that a candle follows, no other


def test_every_candle_is_as_likely_to_begin_at_as_any_other():
    tapes = [flat_tape(np.full(n, 1.0)) for n in (11, 1, 31)]  # 10, none and 30 that are followed
    settings = settings_of()
    arena = Arena(tapes, settings, terms_of(settings), 40_000, seed=1)
    arena.reset()
    rows, times = np.unique(arena.row, return_counts=True)
    assert rows.tolist() == [*range(10), *range(12, 42)]
    assert (np.abs(times - 1000) < 5 * np.sqrt(1000)).all()


def test_who_is_at_its_end_stays_as_it_is_and_is_paid_nothing(actions):
    settings = settings_of(actions=actions)
    arena = Arena([random_tape(40, seed=1)] * 2, settings, terms_of(settings), 2, seed=0)
    arena.begin(np.array([0, 40]), np.array([39, 45]))
    rng = np.random.default_rng(0)
    for i in range(20):
        before = arena.state()["accounts"]
        paid, _, over = arena.step(rng.integers(0, arena.exchange.n_actions, 2))
        after = arena.state()["accounts"]
        assert bool(over[1]) == (i >= 4)
        if i >= 5:
            assert paid[1] == 0
            assert arena.row.tolist() == [i + 1, 45]
            assert all(after[name][1] == before[name][1] for name in before)


def test_nobody_who_is_not_alive_moves():
    settings = bare()
    arena = Arena([flat_tape([1, 2, 3])] * 2, settings, terms_of(settings), 2, seed=0)
    begun(arena)
    arena.step(np.array([1, 1]), np.array([True, False]))
    assert arena.row.tolist() == [1, 3]
    assert arena.accounts.side.tolist() == [1, 0]


def random_course(arena: Arena, n: int, rng) -> list[np.ndarray]:
    kept = []
    for _ in range(n):
        paid, broken, over = arena.step(rng.integers(0, arena.exchange.n_actions, arena.n))
        kept += [paid, broken, over, arena.reopen(broken | over), arena.row, arena.allowed()]
    return kept


def test_the_same_seed_gives_the_same_course_and_another_one_another(actions):
    settings = settings_of(actions=actions)
    tapes = [random_tape(80, seed=1), random_tape(60, seed=2)]

    def course(seed):
        arena = Arena(tapes, settings, terms_of(settings), 5, seed)
        return [arena.reset(), *random_course(arena, 120, np.random.default_rng(1))]

    first = course(3)
    for a, b in zip(first, course(3), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], course(4)[0])
    arena = Arena(tapes, settings, terms_of(settings), 5, seed=9)
    arena.reset()
    arena.reseed(3)
    np.testing.assert_array_equal(arena.reset(), first[0])


def test_it_goes_on_from_a_state_bit_for_bit(actions):
    settings = settings_of(actions=actions).model_copy(update={"reward": PUBLISHED.reward})
    tapes = [random_tape(80, seed=1, jumps=0.02), random_tape(60, seed=2)]
    arena = Arena(tapes, settings, terms_of(settings), 6, seed=3)
    arena.reset()
    random_course(arena, 35, np.random.default_rng(1))
    state = arena.state()
    expected = random_course(arena, 130, np.random.default_rng(2))
    other = Arena(tapes, settings, terms_of(settings), 6, seed=77)
    other.allowed()
    other.restore(state)
    for a, b in zip(random_course(other, 130, np.random.default_rng(2)), expected, strict=True):
        np.testing.assert_array_equal(a, b)
    # A state is a copy, which what follows leaves alone.
    arena.restore(state)
    for a, b in zip(random_course(arena, 130, np.random.default_rng(2)), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_who_was_at_its_end_in_a_state_is_so_when_it_is_gone_on_from():
    settings = bare()
    arenas = [
        Arena([flat_tape(np.arange(1.0, 9))], settings, terms_of(settings), 2, seed=0)
        for _ in range(2)
    ]
    arenas[0].begin(np.array([0, 0]), np.array([7, 1]))
    arenas[0].step(np.array([LONG, LONG]))
    arenas[1].reset()
    arenas[1].restore(arenas[0].state())
    for arena in arenas:
        arena.step(np.array([LONG, LONG]))
        assert arena.row.tolist() == [2, 1]


def test_what_is_not_allowed_changes_nothing_but_is_counted(actions):
    settings = settings_of(actions=actions, shorts=False)
    arena = Arena([random_tape(400, seed=5)], settings, terms_of(settings), 8, seed=0)
    keeping = Arena([random_tape(400, seed=5)], settings, terms_of(settings), 8, seed=0)
    rows = np.arange(8) * 40
    for each in (arena, keeping):
        each.begin(rows, np.full(8, 399))
    rng, n_refused = np.random.default_rng(1), np.zeros(8)
    for _ in range(100):
        wished = rng.integers(0, arena.exchange.n_actions, 8)
        allowed = keeping.allowed()[np.arange(8), wished]
        arena.step(wished)
        keeping.step(np.where(allowed, wished, keeping.kept_action()))
        n_refused += ~allowed
        np.testing.assert_array_equal(arena.accounts.worth, keeping.accounts.worth)
    np.testing.assert_array_equal(arena.accounts.refused, n_refused)
    assert (n_refused > 10).all()
    assert not keeping.accounts.refused.any()


def test_nothing_is_opened_where_there_is_no_prediction_and_no_short_on_spot(actions):
    settings = settings_of(actions=actions, shorts=False)
    tape = random_tape(3000, seed=5)
    arena = Arena([tape], settings, terms_of(settings), 1, seed=0)
    begun(arena)
    rng, n_opened = np.random.default_rng(1), 0
    for row in range(2999):
        units = arena.accounts.units[0]
        arena.step(rng.integers(0, arena.exchange.n_actions, 1))
        grown = arena.accounts.units[0] > units
        assert tape.valid[row] or not grown
        assert arena.accounts.units[0] >= 0
        n_opened += grown
    assert n_opened > 300
    assert (~tape.valid).sum() > 200


def test_the_first_row_that_is_acted_on_is_that_of_the_tape():
    settings = settings_of(episode=10_000)
    tapes = [random_tape(50, seed=1, first=30), random_tape(40, seed=2, first=38)]
    arena = Arena(tapes, settings, terms_of(settings), 500, seed=0)
    arena.reset()
    assert set(arena.row.tolist()) == {*range(30, 49), 88}
    assert [rows.tolist() for rows in arena.whole_tapes()] == [[30, 88], [49, 89]]


def test_bars_reach_as_far_as_their_opens_and_closes():
    settings = bare(barriers=True)  # the long take-profit is 2 % away
    tape = tape_of([(100, 100, 100, 100), (100, 100, 100, 103), (103, 103, 103, 103)])
    arena = Arena([tape], settings, terms_of(settings), 1, seed=0)
    begun(arena)
    arena.step(np.array([LONG]))
    assert arena.accounts.worth[0] == pytest.approx(1.02)


def test_masks_that_were_handed_out_can_be_written_to():
    settings = settings_of()
    arena = Arena([random_tape(50, seed=1)], settings, terms_of(settings), 2, seed=0)
    arena.reset()
    arena.allowed()[:] = False
    assert arena.allowed()[:, 0].all()


@pytest.mark.parametrize(
    ("tapes", "message"),
    [
        ([], "nothing to act on"),
        ([flat_tape([1.0])], "there is no candle to act on"),
        ([flat_tape([1.0, 2.0], first=1)], "there is no candle to act on"),
    ],
)
def test_tapes_without_candles_to_act_on_are_refused(tapes, message):
    settings = settings_of()
    with pytest.raises(TapeError, match=message):
        Arena(tapes, settings, terms_of(settings), 1, seed=0)


def test_tapes_that_do_not_fit_together_are_refused():
    settings = settings_of()
    tape = random_tape(20, seed=1)
    hourly = replace(
        tape, pair="B", candles=replace(tape.candles, date=np.arange(20) * 3600, step=3600)
    )
    with pytest.raises(TapeError, match="B: its candles take 3600 s, those of RND/USDT 60 s"):
        Arena([tape, hourly], settings, terms_of(settings), 1, seed=0)
    more = replace(tape, pair="B", further=(tape.probabilities,))
    with pytest.raises(TapeError, match="B: it has predictions for 1 further horizons"):
        Arena([tape, more], settings, terms_of(settings), 1, seed=0)
