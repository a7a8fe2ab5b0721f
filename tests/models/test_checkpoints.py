"""A training that was ended anywhere goes on from its checkpoint, and comes to the same bits."""

import dataclasses
import io
import json
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest
from examples import random_candles, separable

from dualwindow.models import keras_steps, keras_training
from dualwindow.models.classifier import (
    CheckpointError,
    Classifier,
    Fitted,
    Hooks,
    make_classifier,
)
from dualwindow.models.training_state import TrainingState, pack, unpack
from dualwindow.samples.data import Samples
from dualwindow.settings import EnsembleSettings, GruSettings, LstmSettings, NetworkSettings

SMALL = {
    "dense_units": (3,),
    "dropout": 0.2,
    "feature_dropout": 0.2,
    "summary_dropout": 0.2,
    "spans": (2, 5),
    "candles_per_step": 1,
    "epochs": 6,
    "batch_size": 32,
    "learning_rate": 0.1,
    "patience": 4,
    "lr_patience": 1,
    "seed": 4,
}
LSTM = LstmSettings(lstm_units=(4,), **SMALL)
GRU = GruSettings(gru_units=(3, 2), **{**SMALL, "epochs": 4})
SETTINGS = {
    "lstm": LSTM,
    "gru": GRU,
    "ensemble": EnsembleSettings(members=(LSTM.model_copy(update={"epochs": 3}), GRU)),
}
N_BATCHES, N_LATER = 10, 1  # of an epoch, and to validate on


@dataclass
class Memory:
    """A checkpoint that outlives the training, and what was kept after each epoch."""

    states: dict[str, bytes] = field(default_factory=dict)
    name: str = ""
    saved: list[tuple[str, int]] = field(default_factory=list)

    def load(self) -> bytes | None:
        return self.states.get(self.name)

    def save(self, content: bytes, n_epochs: int) -> None:
        self.states[self.name] = content
        self.saved.append((self.name, n_epochs))

    def member(self, place: int) -> "Memory":
        return Memory(self.states, str(place), self.saved)


class Ended(Exception):
    pass


def ending_after(n_calls: int):
    calls = iter(range(n_calls))

    def interrupt() -> None:
        if next(calls, None) is None:
            raise Ended

    return interrupt


@cache
def samples() -> tuple[Samples, Samples]:
    parts = separable()
    candles = random_candles(len(parts[0].rows.candles), 1)
    return tuple(p._replace(rows=p.rows._replace(candles=candles)) for p in parts)


def classifier_of(kind: str) -> Classifier:
    return make_classifier(SETTINGS[kind], 5, 2)


@cache
def whole(kind: str) -> Fitted:
    """The training that nothing has ended."""
    return classifier_of(kind).fit(*samples(), None, Hooks())


def facts_of(fitted: Fitted) -> list[object]:
    """Everything that was learnt, and told of it, but how long it took."""
    found: list[object] = []
    for member in getattr(fitted, "members", [fitted]):
        found += [w.tobytes() for w in member.weights]
        found += [dataclasses.replace(epoch, seconds=0.0) for epoch in member.epochs]
        found += [member.best_epoch, member.start_loss]
    return found


def forget_all_that_is_compiled() -> None:
    keras_steps.trainer_of.cache_clear()
    keras_steps._initial_weights.cache_clear()


def fit(kind: str, checkpoint: Memory, start: Fitted | None = None, **hooks) -> Fitted:
    return classifier_of(kind).fit(*samples(), start, Hooks(checkpoint=checkpoint, **hooks))


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_training_that_is_ended_again_and_again_comes_to_the_same_bits(kind):
    """At batches that chance chooses, in its epochs, between them and before the first is over."""
    rng, kept, n_ended, reported = np.random.default_rng(0), Memory(), 0, []
    forget_all_that_is_compiled()
    while True:
        longest = int(rng.integers(3, 30))
        try:
            fitted = fit(kind, kept, interrupt=ending_after(longest), report=reported.append)
            break
        except Ended:
            n_ended += 1
            other = SETTINGS[kind].model_copy(update={"seed": 9})  # leaves its own state behind
            make_classifier(other, 5, 2).fit(*samples(), None, Hooks())
    assert n_ended >= 2
    assert facts_of(fitted) == facts_of(whole(kind))
    assert len(kept.saved) == len(set(kept.saved)) == len(reported)


@pytest.mark.parametrize("kind", SETTINGS)
def test_after_each_epoch_another_process_could_go_on(kind):
    """Ended after every single epoch; what is compiled is thrown away at one of them."""
    kept, told = Memory(), []

    def report(epoch) -> None:
        told.append(epoch)
        raise Ended

    n = sum(len(m.epochs) for m in getattr(whole(kind), "members", [whole(kind)]))
    for i in range(n):
        if i == n // 2:
            forget_all_that_is_compiled()
        with pytest.raises(Ended):
            fit(kind, kept, report=report)
    assert len(told) == n == len(kept.saved)
    # All is learnt and saved, but nothing was given: not one batch more is needed.
    steps = []
    fitted = fit(kind, kept, report=report, interrupt=lambda: steps.append(1))
    assert facts_of(fitted) == facts_of(whole(kind))
    assert steps == []


def test_the_example_has_what_a_checkpoint_could_get_wrong():
    epochs = whole("lstm").epochs
    assert len(epochs) == 6
    assert len({epoch.learning_rate for epoch in epochs}) > 1
    assert whole("lstm").best_epoch == 4  # its weights come out of the state after it


def test_members_that_are_done_are_not_trained_again():
    kept = Memory()
    with pytest.raises(Ended):
        fit("ensemble", kept, interrupt=ending_after(3 * (N_BATCHES + N_LATER) + N_BATCHES))
    assert kept.saved == [("0", 1), ("0", 2), ("0", 3)]
    numbers = []
    fit("ensemble", kept, report=lambda epoch: numbers.append(epoch.number))
    assert numbers == [1, 2, 3, 4]


def test_going_on_from_a_model_before_is_gone_on_with_too():
    before = classifier_of("lstm").fit(*samples(), None, Hooks())
    expected = classifier_of("lstm").fit(*samples(), before, Hooks())
    assert expected.start_loss is not None
    kept = Memory()
    with pytest.raises(Ended):
        fit("lstm", kept, before, interrupt=ending_after(2 * (N_BATCHES + N_LATER) + 5))
    assert kept.saved == [("", 1), ("", 2)]
    assert facts_of(fit("lstm", kept, before)) == facts_of(expected)


@cache
def after_four_epochs() -> bytes:
    kept = Memory()
    with pytest.raises(Ended):
        fit("lstm", kept, interrupt=ending_after(4 * (N_BATCHES + N_LATER) + 4))
    assert kept.saved == [("", 1), ("", 2), ("", 3), ("", 4)]
    return kept.states[""]


def learnt_from(content: bytes) -> list[object]:
    return facts_of(fit("lstm", Memory({"": content})))


N_WINDOWS = len(samples()[0].ends)


IDLE = 10  # Keras' LSTM cell has a generator for a dropout of its own, which we do not use


def spoilt_states():
    """One thing changed at a time, of all that is saved."""
    state, variables = unpack(after_four_epochs(), N_WINDOWS, "CPU")
    for i, value in enumerate(variables):
        if i == IDLE:
            continue
        changed = [v.copy() for v in variables]
        changed[i] = value + np.ones_like(value) if value.dtype.kind in "iu" else value * 1.5 + 0.01
        yield f"variable {i}", state, changed
    changes = {
        "chance": np.random.default_rng(5),
        "order": state.order[::-1].copy(),
        "weights": [w + 1 for w in state.weights],
        "start_loss": 0.5,
        "stopping": replace(state.stopping, since=3),
        "plateau": replace(state.plateau, best=9.0),
        "epochs": state.epochs[:1],
    }
    assert set(changes) == {f.name for f in dataclasses.fields(state)}
    for name, value in changes.items():
        yield name, replace(state, **{name: value}), variables


def test_nothing_is_saved_that_the_rest_does_not_depend_on():
    """So a thing that was not restored would be noticed by the tests above."""
    expected, n_changed = facts_of(whole("lstm")), 0
    assert learnt_from(after_four_epochs()) == expected
    for name, state, variables in spoilt_states():
        assert learnt_from(pack(state, variables, "CPU")) != expected, name
        n_changed += 1
    # Weights, their averages, two moments of each; the scale, three generators, steps and rate.
    n_trained = 3 + 2 + 2
    assert n_changed == 4 * n_trained + 2 + 3 + 2 + len(dataclasses.fields(TrainingState))


class Ruin:
    """Would write a file where it is unpickled."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def archived(**arrays) -> bytes:
    packed = io.BytesIO()
    np.savez(packed, **arrays)
    return packed.getvalue()


def changed(**values) -> bytes:
    """The state with other arrays, or without those that are None."""
    arrays = dict(np.load(io.BytesIO(after_four_epochs())))
    return archived(**{k: v for k, v in (arrays | values).items() if v is not None})


def retold(**values) -> bytes:
    told = json.loads(np.load(io.BytesIO(after_four_epochs()))["told"].tobytes())
    return changed(told=np.frombuffer(json.dumps(told | values).encode(), dtype=np.uint8))


WRONG = [
    pytest.param(lambda: b"", "no state of this training", id="empty"),
    pytest.param(lambda: after_four_epochs()[:-30], "no state of this training", id="truncated"),
    pytest.param(lambda: changed(told=None), "KeyError", id="nothing-told"),
    pytest.param(lambda: changed(order=np.arange(7)), f"order is not one of {N_WINDOWS}", id="n"),
    pytest.param(lambda: changed(order=np.zeros(N_WINDOWS)), "order is not", id="no-order"),
    pytest.param(lambda: retold(chance={"bit_generator": "MT19937"}), "no state", id="chance"),
    pytest.param(lambda: retold(epochs=[{"number": 1}]), "no state", id="epochs"),
    pytest.param(lambda: retold(device="GPU (a)"), "on GPU .a., this would be on CPU", id="device"),
    pytest.param(lambda: changed(**{"variable-0": np.ones(3)}), "other variables", id="shape"),
    pytest.param(lambda: changed(**{"variable-36": np.ones(3)}), "other variables", id="more"),
    pytest.param(lambda: changed(**{"variable-5": None}), "KeyError: 'variable-5'", id="a-gap"),
    pytest.param(lambda: changed(**{"best-0": np.ones(3)}), "of another network", id="best"),
]


@pytest.mark.parametrize(("content", "message"), WRONG)
def test_what_is_no_state_of_this_training_is_refused(content, message):
    with pytest.raises(CheckpointError, match=message):
        fit("lstm", Memory({"": content()}))
    # and nothing of it stays behind
    assert facts_of(fit("lstm", Memory())) == facts_of(whole("lstm"))


def test_nothing_in_a_state_is_ever_run(tmp_path):
    ruin = np.array([Ruin(tmp_path / "ruined")], dtype=object)
    for content in (changed(order=ruin), changed(**{"variable-0": ruin})):
        with pytest.raises(CheckpointError, match="allow_pickle"):
            fit("lstm", Memory({"": content}))
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_cannot_be_kept_ends_the_training():
    class Full(Memory):
        def save(self, content: bytes, n_epochs: int) -> None:
            raise OSError(28, "No space left on device")

    reported = []
    with pytest.raises(OSError, match="No space left"):
        fit("lstm", Full(), report=reported.append)
    assert reported == []


def test_without_a_checkpoint_nothing_is_copied_or_packed(monkeypatch):
    def never(*arguments):
        raise AssertionError("asked for a state")

    monkeypatch.setattr(keras_steps.Trainer, "values", never)
    monkeypatch.setattr(keras_training, "pack", never)
    settings: NetworkSettings = LSTM.model_copy(update={"epochs": 1})
    make_classifier(settings, 5, 2).fit(*samples(), None, Hooks())
