"""Which windows are learnt from, how much each counts, and why not the others."""

import dataclasses

import numpy as np
import pytest
from examples import make_candles, random_candles, small_settings

from dualwindow.market.labels import CLASSES, HOLD, LONG, SHORT, UNKNOWN
from dualwindow.samples.balancing import class_mixture
from dualwindow.samples.data import Rows, TrainingData, TrainingError
from dualwindow.samples.scaling import Scaled
from dualwindow.samples.selection import Selection, refuse_one_class, select
from dualwindow.samples.splits import split_at, validation_start

WEIGHTS = {"SHORT": 3.0, "HOLD": 0.5, "LONG": 2.0}


def table(labels: str, **changes) -> TrainingData:
    """A candle per minute; S, H and L are labels, a question mark is a future unknown."""
    codes = np.array(["?SHL".index(c) - 1 for c in labels], dtype=np.int8)
    n = len(codes)
    minute = changes.pop("minute", None)
    volume = changes.pop("volume", None)
    candles = make_candles(np.ones(n), volume=volume, minute=minute)
    return TrainingData("A/B", candles, np.zeros((n, 1)), ("x",), codes)


def selected(data: TrainingData, *, stride=1, unknown=(), outliers=(), **whole) -> Selection:
    settings = small_settings(
        history=3, horizon=2, stride=stride, whole={"validation_share": 0.25, **whole}
    )
    n = len(data.candles)
    known, inliers = np.ones(n, dtype=bool), np.ones(n, dtype=bool)
    known[list(unknown)] = False
    inliers[[*unknown, *outliers]] = False
    scaled = Scaled(np.zeros((n, 1), dtype=np.float32), known, inliers, np.zeros(n))
    split = split_at(
        data.candles.date, 2 * 60, validation_start(data.candles.date, settings.validation_share)
    )
    return select(data, settings, split, scaled)


def none_rejected(**counts: int) -> dict[str, int]:
    reasons = {
        "history": "too few candles before",
        "gap": "gap in the window",
        "untraded": "outage (untraded candles) in the window",
        "feature": "candle or feature unknown in the window",
        "outlier": "outlier",
        "future": "future unknown",
        "purged": "purged between training and validation",
        "stride": "between strides",
        "thinned": "thinned by balancing",
    }
    return {reason: counts.get(name, 0) for name, reason in reasons.items()}


NONE = {"balancing": {"method": "none"}}


def taught(data: TrainingData) -> None:
    """Select as a training does, which refuses what has nothing to tell apart."""
    found = selected(data, **NONE)
    refuse_one_class(data.pair, data.labels[found.train])


LABELS = "HSSHLHHHHLHHHSHH"  # 16: rows 0..9 are trained on, 10 and 11 purged, 12..15 validated


@pytest.mark.parametrize(
    ("changes", "train", "validation", "rejected"),
    [
        pytest.param(
            {}, range(2, 10), range(12, 16), {"history": 2, "purged": 2}, id="whole-windows"
        ),
        pytest.param(
            {"stride": 3},
            [2, 5, 8],
            [12, 15],
            {"history": 2, "purged": 2, "stride": 7},
            id="every-third-of-both-parts",
        ),
        pytest.param(
            {"unknown": [4]},
            [2, 3, 7, 8, 9],
            range(12, 16),
            {"history": 2, "feature": 3, "purged": 2},
            id="an-unknown-row-spoils-its-windows",
        ),
        pytest.param(
            {"unknown": [4], "stride": 2},
            [2, 7, 9],
            [12, 14],
            {"history": 2, "feature": 3, "purged": 2, "stride": 4},
            id="strides-count-what-is-left",
        ),
        pytest.param(
            {"outliers": [4, 13]},
            [2, 3, 5, 6, 7, 8, 9],
            [12, 14, 15],
            {"history": 2, "outlier": 2, "purged": 2},
            id="an-outlier-ends-no-window-but-may-be-inside",
        ),
    ],
)
def test_table_of_window_ends(changes, train, validation, rejected):
    found = selected(table(LABELS), **changes, **NONE)
    assert found.train.tolist() == list(train)
    assert found.validation.tolist() == list(validation)
    assert found.rejected == none_rejected(**rejected)
    assert len(found.train) + len(found.validation) + sum(found.rejected.values()) == 16
    assert found.weights.tolist() == [1] * len(train)


def test_unknown_futures_gaps_and_outages_end_no_window():
    minute = [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
    volume = np.ones(16)
    volume[12:14] = 0
    labels = "HSSHLHHHHLHHHS?H"
    found = selected(table(labels, minute=minute, volume=volume), max_untraded=1, **NONE)
    assert found.train.tolist() == [2, 3, 4, 7, 8, 9]
    assert found.validation.tolist() == [12, 15]  # only one candle of the outage is before row 15
    assert found.rejected == none_rejected(history=2, gap=2, untraded=2, purged=2)
    whole = selected(table(labels, minute=minute, volume=volume), max_untraded=2, **NONE)
    assert whole.validation.tolist() == [12, 13, 15]
    assert whole.rejected == none_rejected(history=2, gap=2, future=1, purged=2)


def test_counts_add_up_whatever_is_broken(seed):
    rng = np.random.default_rng(seed)
    checked = 0
    for method in ("none", "undersample", "class_weights"):
        for stride in (1, 4):
            n = 600
            data = table("".join(rng.choice(list("SHHHL?"), n)))
            candles = random_candles(n, seed)
            date = 60 * np.cumsum(1 + (rng.random(n) < 0.02))
            volume = (rng.random(n) < 0.7).astype(float)
            candles = dataclasses.replace(candles, date=date, volume=volume)
            found = selected(
                dataclasses.replace(data, candles=candles),
                stride=stride,
                unknown=np.flatnonzero(rng.random(n) < 0.02),
                outliers=np.flatnonzero(rng.random(n) < 0.02),
                max_untraded=2,
                balancing={"method": method, "floor": 5},
            )
            used = len(found.train) + len(found.validation)
            assert used + sum(found.rejected.values()) == n
            assert 0 < used < n
            assert (found.rejected["thinned by balancing"] > 0) == (method == "undersample")
            assert found.weights.mean() == pytest.approx(1)
            checked += 1
    assert checked == 6


@pytest.mark.parametrize(
    ("horizon", "stride", "overlap"),
    [(120, 10, 12), (120, 7, 17), (24, 5, 4), (24, 24, 1), (24, 100, 1), (24, 1, 24)],
)
def test_overlap_is_the_horizon_in_strides(horizon, stride, overlap):
    settings = small_settings(history=3, horizon=horizon, stride=stride, whole=NONE)
    rng = np.random.default_rng(0)
    data = table("".join(rng.choice(list("SHL"), 2000)))
    n = len(data.candles)
    everywhere = np.ones(n, dtype=bool)
    scaled = Scaled(np.zeros((n, 1), dtype=np.float32), everywhere, everywhere, np.zeros(n))
    split = split_at(data.candles.date, horizon * 60, validation_start(data.candles.date, 0.2))
    assert select(data, settings, split, scaled).overlap == overlap


def test_the_newest_candle_of_the_training_part_weighs_most():
    """FreqAI's formula over the training part alone: ages count from its newest candle, row 9."""
    found = selected(table(LABELS), stride=3, weight_factor=0.5, **NONE)
    assert found.train.tolist() == [2, 5, 8]
    expected = np.exp(-np.array([7, 4, 1]) / (0.5 * 10))
    np.testing.assert_allclose(found.weights, expected / expected.mean())


def mixture(found: Selection, data: TrainingData) -> np.ndarray:
    return class_mixture(data.labels[found.train], found.weights)


@pytest.mark.parametrize(
    ("balancing", "masses"),  # of SHORT, HOLD, LONG among the training windows SHLHHHHL
    [
        pytest.param({"method": "none"}, [1, 5, 2], id="as-they-are"),
        pytest.param({"method": "undersample", "floor": 1}, [1, 1, 1], id="thinned"),
        pytest.param({"method": "undersample", "floor": 2}, [1, 2, 2], id="thinned-to-the-floor"),
        pytest.param({"method": "class_weights"}, [8 / 3, 8 / 3, 8 / 3], id="balanced-weights"),
        pytest.param(
            {"method": "class_weights", "class_weights": WEIGHTS},
            [3 * 8 / 9.5, 2.5 * 8 / 9.5, 4 * 8 / 9.5],
            id="given-weights",
        ),
    ],
)
def test_the_mixture_is_what_balancing_made_of_the_classes(balancing, masses):
    data = table(LABELS)
    found = selected(data, balancing=balancing)
    expected = np.array(masses) + 1
    np.testing.assert_allclose(mixture(found, data), expected / expected.sum())


@pytest.mark.parametrize("method", ["undersample", "class_weights"])
def test_validation_weighs_its_classes_as_training_does(method, seed):
    rng = np.random.default_rng(seed)
    data = table("".join(rng.choice(list("SHHHHHLL"), 400)))
    found = selected(data, weight_factor=0.3, balancing={"method": method, "floor": 10})
    rows = Rows(np.zeros((400, 1), dtype=np.float32), data.candles)
    training, validation = found.samples(data.labels, rows)
    assert training.ends is found.train
    assert validation.ends is found.validation
    for samples in (training, validation):
        assert samples.rows is rows
        assert samples.labels.tolist() == data.labels[samples.ends].tolist()
        assert samples.weights.mean() == pytest.approx(1)
    masses = [
        np.bincount(s.labels, s.weights, minlength=3) / len(s.ends) for s in (training, validation)
    ]
    np.testing.assert_allclose(masses[0], masses[1])
    for code in (SHORT, HOLD, LONG):  # the newer, the heavier; in validation, all of a class alike
        assert (np.diff(training.weights[training.labels == code]) > 0).all()
        assert np.ptp(validation.weights[validation.labels == code]) == 0


def test_without_balancing_all_validation_windows_weigh_alike(seed):
    """Then their loss is the one that is reported, whatever the mixture before them was."""
    data = table("".join(np.random.default_rng(seed).choice(list("SHHHHHLL"), 400)))
    found = selected(data, weight_factor=0.3, balancing={"method": "none"})
    assert found.validation_weights.tolist() == [1.0] * len(found.validation)
    assert selected(table("HHHHSHHSHHHHHSLH"), **NONE).validation_weights.tolist() == [1.0] * 4


ALIKE = {"balancing": {"method": "class_weights", "class_weights": dict.fromkeys(CLASSES, 2.0)}}


def test_a_class_that_only_validation_has_weighs_nothing_there():
    data = table("HHHHSHHSHHHHHSLH")
    found = selected(data, **ALIKE)
    rows = Rows(np.zeros((16, 1), dtype=np.float32), data.candles)
    _, validation = found.samples(data.labels, rows)
    assert validation.labels.tolist() == [HOLD, SHORT, LONG, HOLD]
    assert validation.weights.tolist() == pytest.approx([1.5, 1.0, 0.0, 1.5])


def test_a_class_that_only_training_has_is_made_up_for_by_the_others():
    data = table("HHSLHLHHHLHHHSHH")
    found = selected(data, **ALIKE)
    rows = Rows(np.zeros((16, 1), dtype=np.float32), data.candles)
    training, validation = found.samples(data.labels, rows)
    assert np.bincount(training.labels).tolist() == [1, 4, 3]
    assert validation.labels.tolist() == [HOLD, SHORT, HOLD, HOLD]
    hold, short = 4 / 8 / (3 / 4), 1 / 8 / (1 / 4)
    expected = np.array([hold, short, hold, hold]) / (5 / 8)  # what the two classes weigh together
    assert validation.weights.tolist() == pytest.approx(expected.tolist())


def test_the_mixture_holds_the_class_that_is_absent():
    data = table("HHSSHHHHHHHHHSLH")
    found = selected(data, **NONE)  # 2 SHORT, 6 HOLD
    np.testing.assert_allclose(mixture(found, data), np.array([3, 7, 1]) / 11)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("?" * 10 + LABELS[10:], r"left in the training part of 16 candles \(2 too few .*8 fut"),
        (LABELS[:12] + "????", r"left in the validation part .* or shorten `history` or `horizon`"),
        ("HHHHHHHHHHHHSLHH", r"all 8 training windows are HOLD.*`labels`.*`model\.stride`"),
    ],
)
def test_a_selection_that_teaches_nothing_is_refused(labels, message):
    with pytest.raises(TrainingError, match=rf"^A/B: .*{message}"):
        taught(table(labels))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            "?" * 10 + LABELS[10:],
            "A/B: no whole window is left in the training part of 16 candles (2 too few candles "
            "before, 8 future unknown, 2 purged between training and validation); raise "
            "`train_days` or `validation_share`, or shorten `history` or `horizon`",
        ),
        (
            "HHHHHHHHHHHHSLHH",
            "A/B: all 8 training windows are HOLD, so there is nothing to tell apart; set `labels` "
            "to barriers, or a delta, that the price sometimes reaches, or lower `model.stride`",
        ),
    ],
)
def test_a_refusal_says_what_was_lost_and_what_to_do(labels, message):
    with pytest.raises(TrainingError) as error:
        taught(table(labels))
    assert str(error.value) == message


def test_inputs_are_untouched():
    data = table(LABELS)
    arrays = [data.labels, data.features, data.candles.date, data.candles.volume]
    before = [a.copy() for a in arrays]
    for array in arrays:
        array.setflags(write=False)
    found = selected(data, weight_factor=0.5, balancing={"method": "class_weights"})
    mixture(found, data)
    assert all((a == b).all() for a, b in zip(arrays, before, strict=True))
    assert (data.labels != UNKNOWN).all()
    assert len(CLASSES) == 3
