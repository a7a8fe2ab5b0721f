"""Files that are put into a user directory, renewed, left alone and taken away."""

import json
import os
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from dualwindow.cli import main
from dualwindow.shipped import shipped
from dualwindow_freqtrade.install import InstallError, placing, versions
from dualwindow_freqtrade.install.files import MANIFEST, wanted
from dualwindow_freqtrade.install.manifest import digest_of, read_manifest
from dualwindow_freqtrade.install.placing import place, remove

OLD = {"strategies/A.py": b"class A(B): 1", "dualwindow/a.json": b"{}", "dualwindow/b/c.json": b"3"}
NEW = {"strategies/A.py": b"class A(B): 2", "dualwindow/a.json": b"{}", "dualwindow/d.json": b"4"}


@pytest.fixture
def user_data(tmp_path) -> Path:
    folder = tmp_path / "user_data"
    (folder / "strategies").mkdir(parents=True)
    (folder / "strategies/mine.py").write_text("class Mine(IStrategy): pass")
    return folder


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_what_is_put_in_is_taken_away_and_the_folder_is_as_it_was(user_data):
    before = tree(user_data)
    assert place(user_data, OLD, "1").new == sorted(OLD)
    found = tree(user_data)
    assert {name: found[name] for name in OLD} == OLD
    compiled = user_data / "strategies/__pycache__/A.cpython-311.pyc"
    compiled.parent.mkdir()
    compiled.write_bytes(b"made by Python when freqtrade loads it")
    assert remove(user_data) == (sorted(OLD), [])
    assert tree(user_data) == before


def test_an_upgrade_renews_what_is_unchanged_and_takes_what_is_no_longer_there(user_data):
    place(user_data, OLD, "1")
    placed = place(user_data, NEW, "2")
    assert placed == (["dualwindow/d.json"], ["strategies/A.py"], [])
    assert {name: tree(user_data)[name] for name in NEW} == NEW
    assert not (user_data / "dualwindow/b/c.json").exists()
    assert place(user_data, NEW, "2") == ([], [], [])
    assert remove(user_data).gone == sorted(NEW)
    assert sorted(tree(user_data)) == ["strategies", "strategies/mine.py"]


def test_what_its_owner_has_changed_stays_and_is_named(user_data):
    place(user_data, OLD, "1")
    (user_data / "strategies/A.py").write_bytes(b"mine now")
    (user_data / "dualwindow/b/c.json").write_bytes(b"mine, too")
    placed = place(user_data, NEW, "2")
    changed = ["dualwindow/b/c.json", "strategies/A.py"]
    assert placed.changed == changed
    assert remove(user_data) == (["dualwindow/a.json", "dualwindow/d.json"], changed)
    left = tree(user_data)
    assert (left["strategies/A.py"], left["dualwindow/b/c.json"]) == (b"mine now", b"mine, too")
    assert MANIFEST not in left
    with pytest.raises(InstallError, match="nothing is installed"):
        remove(user_data)


def test_a_link_that_leads_nowhere_is_its_owners_and_stays(user_data, monkeypatch):
    place(user_data, OLD, "1")
    link = user_data / "strategies/A.py"
    link.unlink()
    link.symlink_to("nowhere")
    assert place(user_data, NEW, "2").changed == ["strategies/A.py"]
    failing(monkeypatch, 1, OSError("full"))
    with pytest.raises(OSError, match="full"):
        place(user_data, OLD, "3")
    assert link.is_symlink()
    assert remove(user_data).changed == ["strategies/A.py"]
    assert link.is_symlink()


def in_the_way(name: str, content: bytes):
    def put(user_data: Path) -> None:
        (user_data / name).parent.mkdir(parents=True, exist_ok=True)
        (user_data / name).write_bytes(content)

    return put


@pytest.mark.parametrize(
    ("put", "named"),
    [
        pytest.param(in_the_way("strategies/A.py", b"other"), "A.py is there already", id="other"),
        pytest.param(in_the_way("dualwindow", b""), "a.json is there already", id="no-folder"),
        pytest.param(
            lambda folder: (folder / "strategies/A.py").symlink_to("nowhere"),
            "A.py is there already",
            id="link",
        ),
        pytest.param(
            in_the_way("strategies/copy.py", b"class A(B): 1"),
            "copy.py defines a class A, too",
            id="same-class",
        ),
    ],
)
def test_what_is_in_the_way_is_named_before_anything_is_written(user_data, put, named):
    put(user_data)
    before = tree(user_data)
    with pytest.raises(InstallError, match=f"nothing was written(.|\n)*{named}"):
        place(user_data, OLD, "1")
    assert tree(user_data) == before


def test_the_very_same_file_is_not_in_the_way(user_data):
    (user_data / "strategies/A.py").write_bytes(OLD["strategies/A.py"])
    assert place(user_data, OLD, "1").new == ["dualwindow/a.json", "dualwindow/b/c.json"]


class Killed(BaseException):
    """As the process would end: nothing is undone."""


def failing(monkeypatch, at: int, error: BaseException) -> None:
    """Let the write of this number fail; none of the manifest, of which the first one counts."""
    written = []
    real = placing.write_aside

    def write(path, content):
        written.append(path)
        if len(written) == at:
            raise error
        real(path, content)

    monkeypatch.setattr(placing, "write_aside", write)


@pytest.mark.parametrize("first", [None, OLD])
@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_all_as_it_was(user_data, monkeypatch, first, at, error):
    if first is not None:
        place(user_data, first, "1")
    before = tree(user_data)
    failing(monkeypatch, at, error)
    with pytest.raises(type(error)):
        place(user_data, {**NEW, "strategies/B.py": b"5"}, "2")
    assert tree(user_data) == before


@pytest.mark.parametrize("then", ["same", "later", "remove"])
@pytest.mark.parametrize("at", [1, 2])
def test_after_a_kill_the_next_run_goes_on(user_data, monkeypatch, at, then):
    empty = tree(user_data)
    place(user_data, OLD, "1")
    monkeypatch.setattr(placing, "_put_back", lambda *_: None)  # a kill undoes nothing
    failing(monkeypatch, at, Killed())
    with pytest.raises(Killed):
        place(user_data, {**NEW, "strategies/B.py": b"5"}, "2")
    monkeypatch.undo()
    if then == "remove":
        remove(user_data)
        assert tree(user_data) == empty
        return
    wanted = {**NEW, "strategies/B.py": b"5" if then == "same" else b"6"}
    assert place(user_data, wanted, "3").changed == []
    found = tree(user_data)
    assert {name: found[name] for name in wanted} == wanted
    assert remove(user_data).changed == []
    assert tree(user_data) == empty


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "damaged"),
        ('{"version": "1", "files": {"../../precious": ["x"]}}', "not below the user directory"),
        ('{"version": "1", "files": {"/etc/passwd": ["x"]}}', "not below the user directory"),
        ('{"version": "9", "format": 2, "files": {}}', "by a later dualwindow"),
    ],
)
def test_a_list_of_files_that_cannot_be_believed_is_refused(user_data, text, said):
    in_the_way(MANIFEST, text.encode())(user_data)
    before = tree(user_data)
    for action in (lambda: place(user_data, NEW, "1"), lambda: remove(user_data)):
        with pytest.raises(InstallError, match=said):
            action()
    assert tree(user_data) == before


def test_thin_files_are_what_freqtrades_resolver_looks_for():
    files = wanted()
    classes = {Path(name).stem: text.decode() for name, text in files.items() if ".py" in name}
    ours = {
        path.stem
        for folder in ("freqaimodels", "strategies")
        for path in shipped(folder).glob("*.py")
    }
    assert set(classes) == ours
    assert len(ours) == 4
    for name, text in classes.items():
        assert text.count(f"class {name}(Installed):") == 1
        assert len(text.splitlines()) < 15
        compile(text, name, "exec")
    examples = {name for name in files if name.startswith("dualwindow/")}
    assert {"dualwindow/example.json", "dualwindow/presets/quick.json"} <= examples
    assert len(examples) == len(list(shipped("config").rglob("*.json")))


def test_the_commands_say_what_they_do(user_data, capsys):
    before = tree(user_data)
    assert main(["install", "--userdir", str(user_data)]) == 0
    said = capsys.readouterr().out
    assert said.count(": new\n") == len(wanted())
    assert (
        f"freqtrade backtesting --userdir {user_data} -c {user_data}/dualwindow/example.json"
        in said
    )
    assert "'dualwindow sandbox run --' before it" in said
    assert f"stays in {user_data}/sandbox\n" in said
    known = read_manifest(user_data)
    assert known.files == {name: (digest_of(content),) for name, content in wanted().items()}
    strategy = user_data / "strategies/DualWindowStrategy.py"
    strategy.write_text(strategy.read_text() + "    stoploss = -0.2\n")
    assert main(["install", "--userdir", str(user_data)]) == 0
    assert f"{strategy}: yours since you changed it, and left alone\n" in capsys.readouterr().out
    assert main(["uninstall", "--userdir", str(user_data)]) == 0
    said = capsys.readouterr().out
    assert said.count(": deleted\n") == len(wanted()) - 1
    assert f"{strategy}: yours since you changed it, and stays\n" in said
    strategy.unlink()
    assert tree(user_data) == before
    assert main(["uninstall", "--userdir", str(user_data)]) == 2
    assert capsys.readouterr().err.startswith("dualwindow: nothing is installed in ")
    assert main(["install", "--userdir", str(user_data / "nowhere")]) == 2
    assert "make one: freqtrade create-userdir" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_to(user_data, capsys):
    user_data.chmod(0o500)
    assert main(["install", "--userdir", str(user_data)]) == 2
    assert "Permission denied" in capsys.readouterr().err


THERE = {"freqtrade": "2026.10", "pandas": "3.1.1", "numpy": "2.4.0", "tensorflow-cpu": "2.21.0"}
WANTED = ["freqtrade[freqai]<2026.10,>=2026.9", "pandas<3.1,>=3.0", "numpy>=2.2", "datasieve"]


@pytest.mark.parametrize(
    ("changed", "misfits"),
    [
        pytest.param({}, ["freqtrade 2026.10", "pandas 3.1.1", "datasieve is not"], id="as-it-is"),
        pytest.param(
            {"freqtrade": "2026.9.1", "pandas": "3.0.6", "datasieve": "0.1.9"}, [], id="all-fits"
        ),
        pytest.param(
            {"freqtrade": "2026.9.dev0", "pandas": "3.0.0", "datasieve": "1"},
            ["freqtrade 2026.9.dev0"],
            id="before-the-release",
        ),
        pytest.param(
            {"freqtrade": "develop-abc", "pandas": "3.0.0", "datasieve": "1"},
            ["freqtrade develop-abc"],
            id="no-version",
        ),
    ],
)
def test_versions_that_do_not_fit_are_named(changed, misfits):
    there = THERE | changed
    wanted = map(Requirement, [*WANTED, "tensorflow<3,>=2.20"])
    found = [str(misfit) for misfit in versions.misfits(wanted, there.get)]
    assert len(found) == len(misfits)
    assert all(one.startswith(start) for one, start in zip(found, misfits, strict=True))


def test_what_several_want_of_a_package_has_to_hold_together():
    wanted = map(Requirement, ["datasieve>=0.1.5", "datasieve>=0.1.9"])
    (misfit,) = versions.misfits(wanted, {"datasieve": "0.1.7"}.get)
    assert str(misfit.requirement) == "datasieve>=0.1.5,>=0.1.9"


def test_what_is_needed_is_what_the_package_says_with_freqtrades_own_extras():
    names = {requirement.name for requirement in versions.needed("dualwindow", ("freqtrade",))}
    # Ours, the extra's, and what freqtrade's extras freqai, hyperopt and plot bring.
    assert {"tensorflow", "pandas", "freqtrade", "aiohttp", "xgboost", "optuna", "plotly"} <= names
    assert not {"torch", "pytest", "jupyter", "stable-baselines3"} & names
    versions.check_versions()  # which hold where the tests run


def test_nothing_is_written_where_versions_do_not_fit(user_data, capsys, monkeypatch):
    real = versions.version_of
    there = {"pandas": "3.1.2", "tensorflow": None, "tensorflow-cpu": None}
    monkeypatch.setattr(versions, "version_of", lambda name: there.get(name, real(name)))
    monkeypatch.setitem(there, "xgboost", None)
    before = tree(user_data)
    assert main(["install", "--userdir", str(user_data)]) == 2
    said = capsys.readouterr().err
    assert "pandas 3.1.2 is installed; it must be <3.1,>=3.0" in said
    assert "xgboost is not installed" in said
    assert "pip install 'tensorflow<3,>=2.20' 'pandas<3.1,>=3.0' 'xgboost'" in said
    monkeypatch.setattr(versions.platform, "python_version", lambda: "3.14.0")
    assert main(["install", "--userdir", str(user_data)]) == 2
    assert "this is Python 3.14.0; it must be" in capsys.readouterr().err
    assert tree(user_data) == before


def test_the_manifest_tells_which_version_wrote_it(user_data):
    place(user_data, OLD, "7.1")
    told = json.loads((user_data / MANIFEST).read_text())
    assert told["version"] == "7.1"
    later = {**told, "format": 2, "version": "8.0", "signed": True}
    (user_data / MANIFEST).write_text(json.dumps(later))
    with pytest.raises(InstallError, match=r"was written by a later dualwindow \(8\.0\); use that"):
        place(user_data, OLD, "7.1")
