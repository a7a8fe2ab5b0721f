"""The container files, as far as they can be checked without a container engine."""

import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import time
import tomllib
import venv
from pathlib import Path, PurePosixPath
from typing import Any

import jsonschema
import numpy as np
import pytest
import yaml
from freqtrade.commands.arguments import Arguments
from freqtrade.configuration.environment_vars import environment_vars_to_dict
from freqtrade.configuration.load_config import load_from_files
from freqtrade.constants import (
    DEFAULT_DB_DRYRUN_URL,
    DEFAULT_DB_PROD_URL,
    HYPEROPT_LOSS_BUILTIN,
)

from dualwindow.shipped import shipped
from dualwindow_freqtrade.live.guards import Limits, Reading
from dualwindow_freqtrade.live.pace import Pace
from dualwindow_freqtrade.live.status import Status
from harness.places import ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROGRAMS = [name for name, service in SERVICES.items() if "entrypoint" not in service]
BOTS = ["trade", "gpu"]
WORKDIR = PurePosixPath("/freqtrade")


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def arguments_of(name: str) -> list[str]:
    return [rest for word, rest in instructions() if word == name]


def copied() -> list[str]:
    """Name the copied paths; each must keep its place below the root."""
    sources = []
    for words in map(str.split, arguments_of("COPY")):
        for source in words[:-1]:
            parent = Path(source).parent if words[-1].endswith("/") else Path(source)
            assert Path(words[-1]) == parent, words
            sources.append(source)
    return sources


def is_sent(path: str) -> bool:
    """Apply .dockerignore: the last pattern that matches the path or a folder above it decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = re.escape(line.removeprefix("!")).replace(r"\*\*/", "(.*/)?")
        pattern = pattern.replace(r"\*", "[^/]*")
        if not line.startswith("#") and re.fullmatch(f"{pattern}(/.*)?", path):
            sent = line.startswith("!")
    return sent


# --- docker-compose.yml ------------------------------------------------------------------------

WORDS = {"type": "array", "items": {"type": "string"}, "minItems": 1}
DURATION = {"type": "string", "pattern": "^[0-9]+[sm]$"}
IMAGES = {
    "dualwindow": ".",
    "dualwindow-gpu": {"context": ".", "args": {"TENSORFLOW": "tensorflow[and-cuda]"}},
}
GPU = {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}
# What this project uses of the compose specification, with what is allowed here: no other user, no
# privileges, no port that is open to others.
SERVICE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["image", "build", "user", "cap_drop", "profiles", "command", "volumes"],
    "oneOf": [
        {"properties": {"image": {"const": image}, "build": {"const": build}}}
        for image, build in IMAGES.items()
    ],
    "properties": {
        "image": {},
        "build": {},
        "user": {"const": "${DUALWINDOW_USER:-1000:1000}"},
        "init": {"const": True},
        "cap_drop": {"const": ["ALL"]},
        "security_opt": {"const": ["no-new-privileges:true"]},
        "profiles": {**WORDS, "maxItems": 1},
        "entrypoint": WORDS,
        "command": WORDS,
        "restart": {"const": "unless-stopped"},
        "stop_grace_period": DURATION,
        "mem_limit": {"type": "string", "pattern": "^[1-9][0-9]*g$"},
        "environment": {"type": "object", "additionalProperties": {"type": "string"}},
        "ports": {"type": "array", "items": {"pattern": r"^127\.0\.0\.1:[0-9]+:[0-9]+$"}},
        "volumes": {
            "type": "array",
            "items": {"pattern": r"^\./([a-z_]+):/freqtrade/[a-z_]+(:ro)?$"},
        },
        "healthcheck": {"const": {"disable": True}},
        "deploy": {"const": {"resources": {"reservations": {"devices": [GPU]}}}},
        "logging": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "driver": {"const": "json-file"},
                "options": {"additionalProperties": {"type": "string"}},
            },
        },
    },
}


@pytest.mark.parametrize("name", SERVICES)
def test_service_keeps_the_schema(name):
    jsonschema.validate(SERVICES[name], SERVICE)
    assert SERVICES[name]["profiles"] == [name]


def test_file_has_nothing_but_services():
    assert set(COMPOSE) == {"x-freqtrade", "services"}
    assert list(SERVICES) == ["trade", "gpu", "backtest", "hyperopt", "tensorboard"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"ports": ["8080:8080"]}, id="port-open-to-all"),
        pytest.param({"ports": ["0.0.0.0:8080:8080"]}, id="port-open-to-all-by-name"),
        pytest.param({"privileged": True}, id="privileged"),
        pytest.param({"user": "root"}, id="root"),
        pytest.param({"mem_limit": 3}, id="limit-of-three-bytes"),
        pytest.param({"environment": {"A": True}}, id="compose-refuses-booleans"),
        pytest.param({"volumes": ["/:/freqtrade/host"]}, id="host-path"),
        pytest.param({"stop_grace": "30s"}, id="unknown-key"),
        pytest.param({"command": None}, id="no-command"),
        pytest.param({"image": "dualwindow-gpu"}, id="one-name-for-two-images"),
    ],
)
def test_schema_refuses(change):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**SERVICES["trade"], **change}, SERVICE)


@pytest.mark.parametrize(("name", "memory"), [("trade", "3g"), ("gpu", "6g")])
def test_a_bot_restarts_is_watched_and_may_stop_in_peace(name, memory):
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["stop_grace_period"] == "30s"  # it needs up to 10
    assert service["mem_limit"] == memory
    assert "deploy" in service if name == "gpu" else "deploy" not in service


def test_only_bots_are_watched():
    assert [name for name, service in SERVICES.items() if "healthcheck" not in service] == BOTS


@pytest.mark.parametrize("name", BOTS)
def test_rest_api_listens_where_it_is_published(monkeypatch, name):
    monkeypatch.chdir(ROOT)
    trade = SERVICES[name]
    for name, value in trade["environment"].items():
        monkeypatch.setenv(name, value)
    assert environment_vars_to_dict() == {"api_server": {"listen_ip_address": "0.0.0.0"}}
    configured = load_from_files(["user_data/config.json"])["api_server"]
    assert (configured["enabled"], configured["listen_ip_address"]) == (True, "127.0.0.1")
    port = configured["listen_port"]
    assert trade["ports"] == [f"127.0.0.1:{port}:{port}"]


@pytest.mark.parametrize(
    ("ages", "status"),
    [
        pytest.param(None, 1, id="no-status-file"),
        pytest.param([None], 1, id="trained-but-never-predicted"),
        pytest.param([290], 0, id="living"),
        pytest.param([310], 1, id="silent-but-training"),
        pytest.param([310, 290], 0, id="one-of-two-pairs-living"),
    ],
)
def test_health_check(tmp_path, ages, status):
    """Tell by predictions: in each case the process may live, train and answer to pings."""
    folder = tmp_path / "user_data/models/mine"
    folder.mkdir(parents=True)
    bot, now = Status(folder, Limits(60, 30, 3, 3600), Pace(6, 24)), time.time()
    for n, age in enumerate(ages or []):
        if age is not None:
            scores = np.array([0.2, 0.5, 0.3])
            bot.judge(f"PAIR{n}", Reading(now, now - age, now, 0.1, scores))
            bot.finish(f"PAIR{n}", now, predicted=True)
        bot.trained(f"PAIR{n}", now)
        bot.write()
    (check,) = arguments_of("HEALTHCHECK")
    options, _, command = check.partition(" CMD ")
    assert options == "--interval=60s --timeout=20s --start-period=20m --retries=2"
    assert run_line(command, tmp_path, Path(sys.executable).parent).returncode == status


# --- paths -------------------------------------------------------------------------------------


def mounts(name: str) -> dict[str, str]:
    volumes = (volume.split(":") for volume in SERVICES[name]["volumes"])
    return {source: target for source, target, *_ in volumes}


@pytest.mark.parametrize("name", SERVICES)
def test_mounts_exist_and_keep_their_place(name):
    for source, target in mounts(name).items():
        assert any((ROOT / source).iterdir()), source
        assert PurePosixPath(target) == WORKDIR / source


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_copied_folder_is_mounted(name):
    """Otherwise the image's old files would meet the checkout's new ones."""
    folders = {f"./{source}" for source in copied() if (ROOT / source).is_dir()}
    assert set(mounts(name)) == folders | {"./user_data"}
    writable = {v.split(":")[0] for v in SERVICES[name]["volumes"] if not v.endswith(":ro")}
    assert writable == {"./user_data", "./strategies"}


def test_every_package_is_copied():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {path.parent.name for path in ROOT.glob("dualwindow*/__init__.py")}
    parts = ("", "_agent", "_freqtrade", "_sandbox", "_trainer")
    assert packages == {f"dualwindow{part}" for part in parts}
    built = {
        str(shipped(name).relative_to(ROOT)) for name in ("config", "freqaimodels", "strategies")
    }
    assert {*packages, *built, "setup.py"} <= set(copied())
    assert project["project"]["readme"] in copied()


def test_everything_copied_is_sent():
    files = [f for source in copied() for f in ([ROOT / source, *(ROOT / source).rglob("*.*")])]
    paths = [f.relative_to(ROOT).as_posix() for f in files]
    paths = [p for p in paths if not re.search(r"__pycache__|^strategies/.*\.json$", p)]
    assert all((ROOT / path).exists() for path in paths)
    assert [path for path in paths if not is_sent(path)] == []
    assert len(paths) > 50


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("strategies/DualWindowStrategy.py", True),
        ("strategies/DualWindowStrategy.json", False),  # what hyperopt found
        ("dualwindow/__pycache__/cli.cpython-311.pyc", False),
        ("user_data/config.json", True),
        ("user_data/rest_api.json", False),
        ("user_data/data/binance/BTC_USDT-1m.feather", False),
        ("tradesv3.sqlite", False),
        (".git/config", False),
        (".env", False),
        (".venv/bin/python", False),
    ],
)
def test_what_is_sent(path, expected):
    assert is_sent(path) == expected


# --- commands ----------------------------------------------------------------------------------


def documented() -> list[list[str]]:
    """List the command lines of docs/docker.md that start a container, without its options."""
    text = (ROOT / "docs/docker.md").read_text()
    lines = re.findall(r"^docker compose run --rm (?:-e \S+ )*(.+?)(?: +#.*)?$", text, re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(json.loads(arguments_of("CMD")[0]), id="image"),
        *(pytest.param(SERVICES[name]["command"], id=name) for name in PROGRAMS),
        *(pytest.param(words[1:], id=" ".join(words[:2])) for words in documented() if words[1:]),
    ],
)
def test_freqtrade_takes_the_command(monkeypatch, words):
    monkeypatch.chdir(ROOT)
    chosen = Arguments(words).get_parsed_arg()
    assert chosen["config"] == ["user_data/config.json"]
    config = load_from_files(chosen["config"])
    if chosen["command"] == "download-data":
        return
    assert (ROOT / config["freqaimodel_path"] / f"{chosen['freqaimodel']}.py").is_file()
    assert (ROOT / config["strategy_path"] / f"{config['strategy']}.py").is_file()
    if chosen["command"] == "hyperopt":
        assert chosen["hyperopt_loss"] in HYPEROPT_LOSS_BUILTIN


def test_documented_commands_name_services():
    assert len(documented()) >= 4
    assert {words[0] for words in documented()} <= set(SERVICES)
    assert arguments_of("ENTRYPOINT") == ['["freqtrade"]']


def test_tensorboard_takes_its_command():
    service = SERVICES["tensorboard"]
    parse = (
        "import sys; from tensorboard import default, program;"
        "board = program.TensorBoard(plugins=default.get_plugins());"
        "board.configure(argv=['tensorboard', *sys.argv[1:]]);"
        "print(board.flags.logdir, board.flags.host, board.flags.port)"
    )
    words = [sys.executable, "-W", "ignore", "-c", parse, *service["command"]]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["user_data/models", "0.0.0.0", "6006"]
    assert service["entrypoint"] == ["tensorboard"]
    assert service["ports"] == ["127.0.0.1:6006:6006"]


# --- Dockerfile --------------------------------------------------------------------------------


def test_image_is_the_python_that_was_tested_and_runs_as_its_own_user():
    (tested,) = re.findall(r"for Python (3\.\d+)", (ROOT / "constraints.txt").read_text())
    assert arguments_of("FROM")[0].startswith(f"python:{tested}-slim-")
    assert PurePosixPath(arguments_of("WORKDIR")[0]) == WORKDIR
    last = [word for word, _ in instructions()][-4:]
    assert last == ["USER", "HEALTHCHECK", "ENTRYPOINT", "CMD"]
    assert arguments_of("USER") == ["ftuser"]
    assert sum("pip install" in line for line in arguments_of("RUN")) == 1
    assert "useradd --uid 1000 --create-home ftuser" in " ".join(arguments_of("RUN"))
    assert arguments_of("ARG") == ["TENSORFLOW=tensorflow"]  # the one that compose sets for a GPU


@pytest.fixture
def tree(tmp_path) -> Path:
    """Lay out what the COPY lines copy."""
    for source in copied():
        target = tmp_path / "tree" / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / source, target)
    return tmp_path / "tree"


def run_line(line: str, cwd: Path, *path: Path) -> subprocess.CompletedProcess[str]:
    variables = {
        **os.environ,
        **dict(line.split("=", 1) for line in arguments_of("ARG")),
        "PATH": os.pathsep.join([*map(str, path), os.environ["PATH"]]),
    }
    return subprocess.run(
        ["sh", "-c", line], cwd=cwd, env=variables, capture_output=True, text=True, check=False
    )


def run_lines(program: str, cwd: Path, *path: Path) -> None:
    """Run the one RUN line that begins with `program`."""
    (line,) = (line for line in arguments_of("RUN") if line.startswith(program))
    result = run_line(line, cwd, *path)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]


def test_trades_are_kept_in_user_data(tree):
    run_lines("ln", tree)
    for url in (DEFAULT_DB_PROD_URL, DEFAULT_DB_DRYRUN_URL):
        name = url.removeprefix("sqlite:///")
        with sqlite3.connect(tree / name) as database:
            database.execute("create table trades (id integer)")
        database.close()
        assert (tree / "user_data" / name).stat().st_size > 0
        assert (tree / name).is_symlink()


@pytest.mark.timeout(300)  # a virtual environment, and what the build needs from the package index
def test_install_lines(tree, tmp_path):
    """Install as in the image, where the packages of this environment count as there already."""
    programs = tmp_path / "venv/bin"
    venv.create(tmp_path / "venv", with_pip=True)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "venv")}))
    (own / "running.pth").write_text(sysconfig.get_path("purelib"))
    fetch = [programs / "pip", "download", "--no-deps", "--dest", tmp_path, "setuptools>=77"]
    if subprocess.run(fetch, capture_output=True, check=False).returncode != 0:
        pytest.skip("pip reaches no package index, from which the build takes setuptools")
    run_lines("pip install --no-cache-dir --constraint constraints.txt", tree, programs)
    assert list(own.glob("freqtrade*")) == []  # it was not put in another version
    imported = (
        "import dualwindow, dualwindow_freqtrade as f; print(dualwindow.__file__, f.__file__)"
    )
    said = subprocess.run(
        [programs / "python", "-c", imported], cwd=tmp_path, capture_output=True, check=True
    )
    files = [Path(word) for word in said.stdout.decode().split()]
    assert files == [tree / n / "__init__.py" for n in ("dualwindow", "dualwindow_freqtrade")]
    subprocess.run([programs / "dualwindow", "--help"], cwd=tree, capture_output=True, check=True)
