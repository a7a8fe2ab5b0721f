"""The wheel in an environment of its own, beside a user directory that freqtrade has made."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from dualwindow.shipped import PACKAGE, shipped
from harness.places import ROOT

OWN = ["strategies/Mine.py", "freqaimodels/Mine.py", "config/keys.json", "config/presets/my.json"]
BUILT = ["setup.py", "pyproject.toml", "README.md", "LICENSE"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build it from a copy, so that what lies beside (build, dist) is neither used nor made."""
    tree = tmp_path_factory.mktemp("tree")
    folders = [path.parent.name for path in ROOT.glob("dualwindow*/__init__.py")]
    for name in [*folders, "config", "freqaimodels", "strategies"]:
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "strategies/DualWindowStrategy.json").write_text("{}")  # of hyperopt: nobody's business
    for own in OWN:
        (tree / own).write_text("{}")
    for name in BUILT:
        shutil.copy2(ROOT / name, tree)
    (line,) = re.findall(r"^\t\$\(BIN\)/(pip wheel .*)$", (ROOT / "Makefile").read_text(), re.M)
    words = [sys.executable, "-m", *line.split()]
    done = subprocess.run(words, cwd=tree, capture_output=True, text=True, check=False)
    if "No matching distribution found for setuptools" in done.stderr:
        pytest.skip("pip reaches no package index, from which the build takes setuptools")
    assert done.returncode == 0, done.stderr[-3000:]
    (built,) = (tree / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory) -> Path:
    """Install it where the packages of this environment count as there already."""
    place = tmp_path_factory.mktemp("venv")
    venv.create(place, with_pip=False)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(place)}))
    # Python follows no .pth file there, so none that leads to the checkout.
    (own / "running.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", place / "bin/python", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--ignore-installed", wheel], check=True)
    freqtrade = place / "bin/freqtrade"
    freqtrade.write_text(f"#!{place}/bin/python\nfrom freqtrade.main import main\nmain()\n")
    freqtrade.chmod(0o755)
    return place / "bin"


def run(programs: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    variables = {n: v for n, v in os.environ.items() if n != "PYTHONPATH"}
    variables |= {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "200"}
    return subprocess.run(
        words, cwd=folder, env=variables, capture_output=True, text=True, timeout=300, check=False
    )


def test_the_wheel_holds_everything_but_what_is_the_users(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("config", "freqaimodels", "strategies"):
        for path in shipped(folder).rglob("*.*"):
            if (
                path.suffix in (".py", ".json")
                and path != ROOT / "strategies/DualWindowStrategy.json"
            ):
                assert f"{PACKAGE}/{path.relative_to(ROOT).as_posix()}" in names
    modules = {
        path.relative_to(ROOT).as_posix()
        for package in ROOT.glob("dualwindow*/__init__.py")
        for path in package.parent.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert len(modules) > 100
    assert modules - names == set()
    assert not [name for name in names if name.endswith("Strategy.json") or "tests" in name]
    assert not names & {f"{PACKAGE}/{own}" for own in OWN}


def test_a_new_user_installs_backtests_and_takes_it_away(programs, tmp_path):
    made = run(programs, tmp_path, "freqtrade", "create-userdir", "--userdir", "user_data")
    assert made.returncode == 0, made.stderr
    before = set((tmp_path / "user_data").rglob("*"))
    done = run(programs, tmp_path, "dualwindow", "install", "--userdir", "user_data")
    assert done.returncode == 0, done.stderr
    own = run(programs, tmp_path, "python", "-c", "import dualwindow; print(dualwindow.__file__)")
    assert own.stdout.startswith(str(programs.parent))

    listed = ["--userdir", "user_data", "-c", "user_data/dualwindow/example.json"]
    strategies = run(programs, tmp_path, "freqtrade", "list-strategies", *listed)
    models = run(programs, tmp_path, "freqtrade", "list-freqaimodels", *listed)
    for said, names in (
        (strategies, ["DualWindowStrategy", "DualWindowIndicators", "SampleStrategy"]),
        (models, ["DualWindowLSTM", "DualWindowAgent"]),
    ):
        assert said.returncode == 0, said.stderr[-2000:]
        # Of freqtrade's own models, those that need PyTorch fail where it is not.
        for name in names:
            assert re.search(rf"\b{name} .*\bOK\b", said.stdout), said.stdout

    small = {
        "timerange": "20240130-20240131",
        "exchange": {"pair_whitelist": ["BTC/USDT:USDT"]},
        "freqai": {"train_period_days": 3, "model_training_parameters": {"kind": "trees"}},
    }
    (tmp_path / "small.json").write_text(json.dumps(small))
    words = ["dualwindow", "sandbox", "run", "--", "freqtrade", "backtesting"]
    words += ["-c", "user_data/dualwindow/example.json", "-c", "small.json", "--no-color"]
    traded = run(programs, tmp_path, *words)
    assert traded.returncode == 0, traded.stdout[-2000:] + traded.stderr[-2000:]
    assert "BACKTESTING REPORT" in traded.stdout
    resolved = "from '{}/user_data/freqaimodels/DualWindowLSTM.py'"
    assert resolved.format(tmp_path.resolve()) in " ".join((traded.stdout + traded.stderr).split())
    presets = run(programs, tmp_path, "dualwindow", "train", "--preset", "none", "--pair", "X/Y")
    assert "there are: production, published, quick, standard, test" in presets.stderr

    gone = run(programs, tmp_path, "dualwindow", "uninstall", "--userdir", "user_data")
    assert gone.returncode == 0, gone.stderr
    shutil.rmtree(tmp_path / "user_data/sandbox")
    by_freqtrade = tmp_path / "user_data/data/binance"
    assert set((tmp_path / "user_data").rglob("*")) == before | {by_freqtrade}
