"""What predictions are made from is known by its digest, and nothing else is."""

import ast
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from examples import ROOT

from dualwindow.learning.fingerprint import (
    all_differences,
    differences,
    digest,
    digest_arrays,
    digest_code,
    flatten,
    shaping_files,
)
from dualwindow.settings import KINDS, Settings

CORE = ROOT / "dualwindow"
# Every other file shapes the predictions of some kind. One that is new, in whatever folder, has to
# be imported on the way from candles to predictions, or to be listed here by a person.
NOT_SHAPING = {
    "cli.py",
    "learning/artifact_files.py",
    "learning/checkpoint_file.py",
    "learning/clusters.py",
    "learning/fingerprint.py",
    "learning/fold_store.py",
    "learning/folds.py",
    "learning/parallel.py",
    "learning/walk_folder.py",
    "learning/walk_forward.py",
    "market/candle_files.py",  # candles are compared themselves
    "market/files.py",
    "market/quality.py",
    "market/ready_features.py",  # their names, which are in the record, tell them apart
    "market/ready_files.py",
    "market/ready_quality.py",
    "samples/pair_data.py",
    "samples/ready_data.py",
    "settings.py",  # its values are compared themselves
    "shipped.py",
}


def named(paths) -> set[str]:
    return {path.relative_to(CORE).as_posix() for path in paths}


def test_every_file_shapes_predictions_or_is_known_not_to():
    shaping = set().union(*(named(shaping_files(kind)) for kind in KINDS))
    rooms = {p for p in CORE.rglob("__init__.py") if p not in set(shaping_files("lstm"))}
    everything = named(CORE.rglob("*.py"))
    # Rooms that judge and report lie above those that predict, which may not import them.
    above = {path for path in everything if path.startswith(("judging/", "reports/"))}
    assert everything - above - shaping - named(rooms) == NOT_SHAPING
    assert shaping & (NOT_SHAPING | above) == set()
    assert len(above) > 20
    assert len(shaping) > 20


def test_what_marks_a_folder_as_a_room_holds_no_code():
    rooms = list(CORE.rglob("__init__.py"))
    for path in rooms:
        body = ast.parse(path.read_text()).body
        assert all(isinstance(s, ast.Expr | ast.Assign) for s in body)
        assert all(isinstance(s.value, ast.Constant) for s in body)
    assert len(rooms) == 7


def test_each_kind_has_files_of_its_own_and_shares_the_others():
    found = {kind: named(shaping_files(kind)) for kind in KINDS}
    for kind, files in found.items():
        others = set().union(*(f for k, f in found.items() if k != kind))
        assert f"models/{kind}.py" in files - others
    networks = {"models/device.py", "models/keras_classifier.py", "models/keras_training.py"}
    networks |= {"models/lstm.py", "models/lstm_layer.py", "models/fused_lstm.py"}
    networks |= {"models/keras_steps.py", "models/network.py", "models/training_state.py"}
    networks |= {"models/recurrent.py"}
    assert found["lstm"] - found["ranges"] == networks
    assert found["ranges"] - found["lstm"] == {"models/ranges.py", "models/line.py"}
    assert {
        "market/labels.py",
        "market/moves.py",
        "market/features.py",
        "market/hours.py",
        "samples/selection.py",
        "samples/scaling.py",
        "learning/training.py",
        "learning/artifact.py",
        "learning/calibration.py",
        "models/classifier.py",
        "arrays.py",
    } <= found["lstm"] & found["ranges"]


def test_an_ensemble_is_shaped_by_its_members():
    kinds = Settings.model_validate({"model": {"kind": "ensemble"}}).model.kinds
    assert kinds == ("ensemble", "lstm", "trees")
    together = named(shaping_files(*kinds))
    assert together == set().union(*(named(shaping_files(kind)) for kind in kinds))
    assert digest_code(*kinds) != digest_code("ensemble")


def digests_of_copy(folder: Path) -> dict[str, str]:
    script = (
        "from dualwindow.learning.fingerprint import digest_code\n"
        "from dualwindow.settings import KINDS\n"
        "for kind in KINDS:\n"
        "    print(kind, digest_code(kind))\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    told = subprocess.run(
        command,
        env={"PYTHONPATH": str(folder), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split() for line in told.stdout.splitlines())


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(CORE, folder / "dualwindow", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize(
    ("edited", "changed"),
    [
        ("models/lstm.py", {"lstm"}),
        ("models/published.py", {"published"}),
        ("models/gru.py", {"gru"}),
        ("models/lstm_layer.py", {"lstm", "bilstm", "dlstm"}),
        ("models/recurrent.py", {"lstm", "gru", "bilstm", "dlstm"}),
        ("models/keras_steps.py", {"lstm", "gru", "bilstm", "dlstm", "published"}),
        ("models/keras_training.py", {"lstm", "gru", "bilstm", "dlstm", "published"}),
        ("models/ranges.py", {"ranges"}),
        ("models/trees.py", {"trees"}),
        ("models/ensemble.py", {"ensemble"}),
        ("samples/selection.py", set(KINDS)),
        ("market/hours.py", set(KINDS)),
        ("arrays.py", set(KINDS)),
        ("settings.py", set()),
        ("learning/folds.py", set()),
    ],
)
def test_an_edit_changes_the_digests_of_those_it_shapes(copy, edited, changed):
    before = {kind: digest_code(kind) for kind in KINDS}
    path = copy / "dualwindow" / edited
    content = path.read_text()
    path.write_text(content + "\n# edited\n")
    after = digests_of_copy(copy)
    path.write_text(content)
    assert {kind for kind in KINDS if after[kind] != before[kind]} == changed
    assert after.keys() == KINDS.keys()


def test_a_module_that_is_imported_anew_belongs_to_it(copy):
    before = {kind: digest_code(kind) for kind in KINDS}
    room = copy / "dualwindow" / "models" / "parts"
    room.mkdir()
    (room / "__init__.py").write_text('"""Parts."""\n')
    (room / "gates.py").write_text("WIDTH = 1\n")
    path = copy / "dualwindow/models/ranges.py"
    content = path.read_text()
    path.write_text(content + "\ndef later():\n    from dualwindow.models.parts import gates\n")
    first = digests_of_copy(copy)
    (room / "gates.py").write_text("WIDTH = 2\n")
    second = digests_of_copy(copy)
    (room / "__init__.py").write_text('"""Parts."""\nWIDTH = 3\n')
    third = digests_of_copy(copy)
    path.write_text(content)
    shutil.rmtree(room)
    assert len({before["ranges"], first["ranges"], second["ranges"], third["ranges"]}) == 4
    assert before["lstm"] == first["lstm"] == second["lstm"] == third["lstm"]
    assert digests_of_copy(copy) == before


def blake(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def test_expected_digests():
    assert digest([b"ab", b"", b"c"]) == blake(b"abc")
    assert digest([]) == blake(b"") == "e4a6a0577479b2b4"  # of the empty message, by b2sum -l 64
    assert digest_arrays([np.array([1.5, 2.0]), np.array([3], dtype=np.int8)]) == blake(
        bytes.fromhex("000000000000f83f000000000000004003")
    )
    for kind in KINDS:
        files = sorted(CORE / name for name in named(shaping_files(kind)))
        assert digest_code(kind) == blake(b"".join(path.read_bytes() for path in files))


def test_arrays_are_known_by_their_values_whatever_their_layout():
    rows = np.arange(12.0).reshape(4, 3)
    for same in (rows.copy(order="F"), np.arange(24.0)[::2].reshape(4, 3) / 2):
        assert digest_arrays([same]) == digest_arrays([rows])
    for other in (rows.T, rows[::-1], rows + 1e-12):
        assert digest_arrays([other]) != digest_arrays([rows])


def test_flat_facts_are_told_apart_by_value_and_by_name():
    facts = flatten({"a": {"b": 1, "c": {"d": None}}, "e": (1, 2), "f": []})
    assert facts == {"a.b": 1, "a.c.d": None, "e": "[1, 2]", "f": "[]"}
    found = facts | {"a.b": 2, "new": 3}
    assert differences(facts, found, ["a.b", "e"]) == ["a.b: 1 -> 2"]
    assert differences(facts, facts, facts) == []
    assert all_differences(facts, found) == ["a.b: 1 -> 2", "new: not set -> 3"]
    del found["e"]
    assert all_differences(facts, found)[1] == "e: [1, 2] -> not set"
