"""The schedule of a soak, without the bots."""

from collections import Counter

import pytest

from benchmarks.soak import LENGTH
from benchmarks.soak_schedule import GRACE, OF_EXCHANGE, Kind, Planned, schedule

PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT"]
SPARE = "SOL/USDT:USDT"
SEEDS = range(1, 21)


def drawn(seed: int, length: int = LENGTH):
    return schedule(seed, length, PAIRS, SPARE)


def test_a_seed_fixes_the_schedule():
    assert drawn(7) == drawn(7)
    assert len({drawn(seed) for seed in SEEDS}) == len(SEEDS)


def test_twenty_seeds_hold_every_kind():
    counts = Counter(fault.kind for seed in SEEDS for fault in drawn(seed))
    assert set(counts) == set(Kind)
    assert min(counts.values()) >= 3


@pytest.mark.parametrize("seed", SEEDS)
def test_after_every_storm_there_is_calm(seed):
    faults = drawn(seed)
    assert len(faults) >= 4
    busy = {candle for fault in faults for candle in range(fault.start, fault.stop + GRACE)}
    calm = set(range(LENGTH)) - busy
    assert len(calm) >= 3 * len(faults) // 2
    assert max(fault.stop for fault in faults) + GRACE + 3 <= LENGTH
    assert LENGTH - 1 in calm
    assert [fault.start for fault in faults] == sorted(fault.start for fault in faults)


def test_faults_overlap_only_with_those_of_the_exchange():
    n_overlaps = 0
    for seed in SEEDS:
        faults = drawn(seed)
        for i, one in enumerate(faults):
            for other in faults[i + 1 :]:
                if other.start < one.stop:
                    n_overlaps += 1
                    assert {one.kind, other.kind} & set(OF_EXCHANGE)
                    assert one.kind is not other.kind
    assert n_overlaps >= 10


def test_what_a_fault_needs_is_drawn_with_it():
    n = 0
    for fault in (fault for seed in SEEDS for fault in drawn(seed)):
        n += 1
        assert fault.length >= {Kind.MISSING: 2, Kind.ADDED: 6}.get(fault.kind, 1)
        assert (fault.amount != 0) == (fault.kind in (Kind.CLOCK, Kind.KILL))
        if fault.kind is Kind.ADDED:
            assert fault.pair == SPARE
        elif fault.kind is Kind.REMOVED:
            assert fault.pair in PAIRS
        elif fault.kind in OF_EXCHANGE:
            assert fault.pair in {None, *PAIRS, SPARE}
        else:
            assert fault.pair is None
    assert n > 60


@pytest.mark.parametrize(
    ("kind", "pair", "concerned"),
    [
        pytest.param(Kind.UNAVAILABLE, "BTC", "BTC", id="one-pair"),
        pytest.param(Kind.UNAVAILABLE, None, None, id="all"),
        pytest.param(Kind.SILENCE, "BTC", None, id="all-wait-for-one"),
        pytest.param(Kind.KILL, None, None, id="the-bot"),
    ],
)
def test_whom_a_fault_concerns(kind, pair, concerned):
    assert Planned(kind, pair, start=1, length=2).concerned == concerned
    assert Planned(kind, pair, start=1, length=2).stop == 3
    assert not Planned(kind, pair, start=1, length=2).is_harmless
