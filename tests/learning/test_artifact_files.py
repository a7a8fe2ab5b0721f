"""An artifact as files: what is read predicts the same bits, and what is damaged is refused."""

import json
import shutil

import numpy as np
import pytest
from examples import part_of, random_training_data, small_settings

from dualwindow.learning.artifact import Artifact
from dualwindow.learning.artifact_files import (
    ArtifactFileError,
    read_artifact,
    stem,
    write_artifact,
)
from dualwindow.learning.training import train
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import KINDS, Settings

HISTORY, N = 12, 1500
ENDINGS = {"ranges": ".json", "trend": ".json", "trees": ".json", "ensemble": ".zip"}


def trained(kind: str, scaler: str = "standard") -> Artifact:
    data = part_of(random_training_data(2000, seed=0), slice(N))
    return train(data, small_settings(HISTORY, 12, kind), FeatureScaler(scaler))


@pytest.mark.parametrize(
    ("kind", "scaler"),
    [*((kind, "standard") for kind in KINDS), ("ranges", "robust"), ("lstm", "minmax")],
)
def test_what_is_read_predicts_the_same_to_the_last_bit(kind, scaler, tmp_path):
    if kind == "published":
        pytest.skip("as the other networks, and slow")
    artifact = trained(kind, scaler)
    metadata = write_artifact(artifact, tmp_path / "made" / "here")
    name = metadata.name.removeprefix("metadata_").removesuffix(".json")
    assert (metadata.parent / f"model_{name}{ENDINGS.get(kind, '.keras')}").is_file()
    again = read_artifact(metadata.parent)
    data = random_training_data(2000, seed=0)
    rows = slice(N - HISTORY + 1, None)
    n_new = 2000 - N
    one = artifact.predict(data.candles[slice(N, None)], data.features[N:])
    other = again.predict(data.candles[rows], data.features[rows], n_new)
    assert one.valid.sum() == n_new
    np.testing.assert_array_equal(one.probabilities, other.probabilities[-n_new:])
    assert again.record == artifact.record


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param({}, "BTCUSDT_FW120_SL050_TP100", id="default"),
        pytest.param(
            {"long_stop_loss": 0.0029, "short_stop_loss": 0.0029},
            "BTCUSDT_FW120_SL029_TP100",
            id="rounded-not-cut",  # 0.0029 * 1e4 is 28.999999999999996
        ),
        pytest.param({"short_take_profit": 0.02}, "BTCUSDT_FW120_SL050_TP100-200", id="two-sides"),
    ],
)
def test_names_are_those_of_the_published_trainer(labels, expected):
    assert stem("BTC/USDT", Settings.model_validate({"labels": labels})) == expected


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifact")
    write_artifact(trained("ranges"), folder)
    return folder


@pytest.fixture
def copy(written, tmp_path):
    return shutil.copytree(written, tmp_path / "copy")


def change(folder, part: str, **values) -> None:
    (path,) = folder.glob(f"{part}_*")
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda f: next(f.glob("scaler_*")).unlink(), "FileNotFoundError", id="gone"),
        pytest.param(
            lambda f: change(f, "calibration", scale=[9.0, 9.0]),
            "not what was written",
            id="changed",
        ),
        pytest.param(lambda f: change(f, "metadata", format=9), "of format 9", id="format"),
        pytest.param(lambda f: change(f, "metadata", files={}), "KeyError", id="no-files"),
        pytest.param(
            lambda f: change(f, "metadata", files={"../x.json": ""}),
            "no name of a file",
            id="outside",
        ),
        pytest.param(
            lambda f: next(f.glob("metadata_*")).write_text("{"), "JSONDecodeError", id="half"
        ),
        pytest.param(lambda f: change(f, "metadata", record={}), "ValidationError", id="record"),
        pytest.param(
            lambda f: next(f.glob("metadata_*")).unlink(), "must hold one model", id="none"
        ),
        pytest.param(
            lambda f: (f / "metadata_other.json").write_text("{}"), "must hold one model", id="two"
        ),
    ],
)
def test_what_is_not_as_it_was_written_is_refused(spoil, message, copy):
    spoil(copy)
    with pytest.raises(ArtifactFileError, match=message):
        read_artifact(copy)


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactFileError, match="cannot be written to"):
        write_artifact(trained("ranges"), tmp_path / "file" / "folder")


def test_numbers_of_a_scaler_that_do_not_belong_together_are_refused():
    scaler = FeatureScaler("standard")
    scaler.fit(np.random.default_rng(0).normal(size=(50, 3)))
    told = scaler.to_dict()
    for wrong in ({"mean_": [1.0]}, {"scale_": [1.0, float("nan"), 1.0]}):
        with pytest.raises(ValueError, match="not those of the same features"):
            FeatureScaler.from_dict(told | wrong)
