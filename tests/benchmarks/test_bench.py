"""Every measurement of `make bench`, of a size that says nothing about speed."""

import json
import sys

import pytest

from benchmarks import bench, bench_workloads
from dualwindow.settings import KINDS, LstmSettings

SIZES = {
    "labels_exclusive": 5000,
    "labels_first_touch": 5000,
    **{f"{peer}_{name}": 256 for peer in ("throughput", "torch") for name in bench.NETWORKS},
    "products": 512,
    "products_deep": 512,
    "exponent": 32_000,
    "growth": 6,
    "peak_memory": 8000,
}


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr(bench_workloads, "HISTORY", 10)
    small = {
        "dense_units": (),
        "epochs": 1,
        "stride": 1,
        "batch_size": 256,
        "feature_dropout": 0.0,
        "candles_per_step": 3,
        "spans": (3, 10),
    }
    network = LstmSettings(lstm_units=(2,), **small)
    monkeypatch.setattr(bench_workloads, "NETWORK", network)
    deep = network.model_copy(update={**bench_workloads.DEEP, "lstm_units": (2, 3)})
    monkeypatch.setattr(bench_workloads, "DEEP_NETWORK", deep)
    others = {kind: KINDS[kind](**small) for kind in ("gru", "bilstm", "dlstm")}
    networks = {"lstm": network, "deep": deep, **others}
    assert networks.keys() == bench_workloads.NETWORKS.keys() == bench.NETWORKS.keys()
    monkeypatch.setattr(bench_workloads, "NETWORKS", networks)


@pytest.mark.parametrize("name", bench.MEASUREMENTS)
def test_it_measures(name, tiny, monkeypatch, capsys):
    if not bench.MEASUREMENTS[name].is_possible:
        pytest.skip(f"needs {bench.MEASUREMENTS[name].needs}, a peer that is no dependency")
    monkeypatch.setattr(sys, "argv", ["bench.py", "--one", name, "--size", str(SIZES[name])])
    assert bench.main() == 0
    value = float(capsys.readouterr().out)
    assert abs(value) < 1e9
    assert value > 0 or name == "growth"


def test_it_runs_apart_and_keeps_results(tmp_path, monkeypatch, capsys):
    path = tmp_path / "results" / "bench.json"
    monkeypatch.setattr(bench, "RESULTS", path)
    monkeypatch.setattr(sys, "argv", ["bench", "--only", "labels_exclusive", "--size", "5000"])
    assert bench.main() in (0, 1)
    found = json.loads(path.read_text())["labels_exclusive"]
    assert found["value"] > 0
    assert found["unit"] == "candles/s"
    assert found["size"] == 5000
    assert "labels, exclusive" in capsys.readouterr().out


@pytest.mark.parametrize(("value", "reached"), [(4.9, False), (5.0, True)])
def test_a_bound_from_below(value, reached):
    measurement = bench.Measurement(what="", unit="", measure=float, size=1, at_least=5)
    assert measurement.reached(value) == reached


@pytest.mark.parametrize(("value", "reached"), [(4.9, True), (5.0, False)])
def test_a_bound_from_above(value, reached):
    measurement = bench.Measurement(what="", unit="", measure=float, size=1, below=5)
    assert measurement.reached(value) == reached
