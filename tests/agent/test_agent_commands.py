"""``dualwindow agent``: what is typed, what is told, what lies in the folders."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from agent import examples_tables as examples
from agent.examples_tables import BEGIN, END, PAIRS
from examples import as_in_readme, leaves

from benchmarks import agent_study
from dualwindow.cli import CommandError, main
from dualwindow_agent.commands.agent_folder import AgentFolder
from dualwindow_agent.commands.asked import boundary_of
from dualwindow_agent.commands.evaluate_command import untouched
from dualwindow_agent.judging.baselines import Ground, expected_value
from dualwindow_agent.judging.worth import worth_of
from dualwindow_agent.learning.policy import Policy
from dualwindow_agent.market.accounts import Terms
from dualwindow_agent.market.tables import read_tapes
from dualwindow_agent.settings import PUBLISHED, AgentSettings
from harness.places import ROOT

LEARNING = ("timesteps=512", "accounts=4", "steps=64", "batch_size=64", "evaluate_every=256")
SMALL = ["--set", *(f"learning.{words}" for words in LEARNING)]
TEST_DAYS = 2


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Candles and walk-forwards of two pairs."""
    folder = tmp_path_factory.mktemp("agents")
    for pair in PAIRS:
        examples.candle_file(folder, pair)
    examples.walk_forward(folder / "trees")
    ranges = examples.settings_of(kind="ranges", pooling="whitelist")
    examples.walk_forward(folder / "ranges", settings=ranges)
    return folder


def source(folder: Path, pairs: tuple[str, ...] = PAIRS) -> list[str]:
    files = [str(folder / f"{pair[:3]}.feather") for pair in pairs]
    return ["--pair", *pairs, "--data", *files, "--timeframe", "5m"]


def train_words(folder: Path, out: Path, *more: str) -> list[str]:
    asked = ["--walk", str(folder / "trees"), *source(folder), "--test-days", str(TEST_DAYS)]
    return ["agent", "train", *asked, "--seeds", "2", "--out", str(out), *SMALL, *more]


@pytest.fixture(scope="module")
def trained(made, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out") / "agents"
    assert main(train_words(made, out)) == 0
    return out


@pytest.fixture
def agents(trained, tmp_path) -> Path:
    """A copy that may be spoilt; each has gained on validation, whatever two rollouts brought."""
    folder = Path(shutil.copytree(trained, tmp_path / "agents"))
    for seed, gain in (("42", 0.01), ("43", 0.02)):
        rewrite_growth(folder, seed, gain)
    return folder


def rewrite_growth(folder: Path, seed: str, growth: float) -> None:
    """Let every validation of an agent have found this."""
    path = folder / "seeds" / seed / "history.json"
    rows = [[*row[:2], growth, *row[3:]] for row in json.loads(path.read_text())]
    path.write_text(json.dumps(rows))


def rewrite_plan(folder: Path, **changes: Any) -> None:
    path = folder / "agents.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def cut_table(made: Path, folder: Path, pair: str, *, begin: int = 0, stop: int) -> Path:
    """Copy the walk-forward, with the predictions of one pair in `[begin, stop)` only."""
    shutil.copytree(made / "trees", folder)
    first, end = (pd.Timestamp(second, unit="s", tz="UTC") for second in (begin, stop))
    examples.rewrite_table(
        folder,
        lambda table: table[
            (table["pair"] != pair) | ((table["date"] >= first) & (table["date"] < end))
        ],
    )
    return folder


def test_every_seed_gets_an_agent_and_a_second_run_finds_them(made, agents, said):
    found = [Policy.load(agents / "seeds" / seed) for seed in ("42", "43")]
    assert [policy.settings.learning.seed for policy in found] == [42, 43]
    assert not np.array_equal(found[0].weights[0], found[1].weights[0])
    learnt_to = np.datetime64(found[0].facts["learnt_from"][1].removesuffix("Z"))
    assert learnt_to < np.datetime64(BEGIN + 6 * 86400, "s")
    assert not list((agents / "seeds").glob("*/checkpoints/*"))
    status, told, complaint = said(*train_words(made, agents))
    assert (status, complaint) == (0, "")
    assert told.count("there from an earlier run") == 2
    assert "timesteps" not in told
    assert "2 tried here in all" in told
    status, told, _ = said(*train_words(made, agents, "--seeds", "3"))
    assert status == 0
    assert "seeds/44: 512 of 512 timesteps" in told
    assert "3 tried here in all" in told


def test_a_line_is_told_for_each_validation(made, tmp_path, said):
    status, told, _ = said(*train_words(made, tmp_path / "a", "--seeds", "1", "--workers", "1"))
    assert status == 0
    lines = [line for line in told.splitlines() if " timesteps in " in line]
    assert [line.partition(" of ")[0] for line in lines] == [
        "seeds/42: 0",
        "seeds/42: 256",
        "seeds/42: 512",
    ]


def test_the_table_and_the_json_tell_the_same(made, agents, said):
    words = ["agent", "evaluate", "--agents", agents, "--baseline-walk", made / "ranges"]
    status, told, complaint = said(*words)
    assert (status, complaint) == (0, "")
    facts = json.loads((agents / "evaluation.json").read_text())
    assert list(facts["agents"]) == ["seeds/42", "seeds/43"]
    assert list(facts["others"]) == [
        "always flat",
        "buy and hold",
        "expected value",
        "ranges, expected value",
        "random, same turnover",
        "random, first turnover",
    ]
    for name, worth in {**facts["agents"], **facts["others"]}.items():
        (row,) = [line for line in told.splitlines() if line.strip().startswith(name)]
        assert f"{100 * worth['growth']:+.3f}" in row
    growth = sorted(worth["growth"] for worth in facts["agents"].values())
    assert (facts["growth"]["worst"], facts["growth"]["best"]) == tuple(growth)
    assert facts["growth"]["median"] == pytest.approx(np.mean(growth))
    assert facts["agents"][facts["median"]]["growth"] == growth[0]
    assert facts["trials"] == 2
    flat = facts["median against"]["always flat"]
    assert flat["mean"] == pytest.approx(growth[0], abs=1e-4)  # by days, of which one is short
    assert said(*words, "--tried", 5)[0] == 0
    assert json.loads((agents / "evaluation.json").read_text())["trials"] == 7


def test_an_agent_that_loses_on_validation_is_kept_flat_and_told_so(made, agents, said, tmp_path):
    rewrite_growth(agents, "43", -0.01)
    status, told, _ = said(*train_words(made, agents))
    assert status == 0
    assert "note: all that seeds/43 learnt loses on validation: kept flat" in told
    status, told, _ = said("agent", "evaluate", "--agents", agents)
    assert status == 0
    assert re.search(r"^ *seeds/43 .*f\b", told, re.MULTILINE)
    assert "f kept flat" in told
    facts = json.loads((agents / "evaluation.json").read_text())
    assert facts["kept flat"] == ["seeds/43"]
    assert facts["agents"]["seeds/43"]["turnover"] == 0
    assert facts["agents"]["seeds/42"]["turnover"] > 0
    for seed, is_flat in (("42", False), ("43", True)):
        words = ["agent", "export", "--agents", agents, "--seed", seed, "--out", tmp_path / seed]
        status, told, _ = said(*words)
        assert (status, "kept flat" in told) == (0, is_flat)
        summary = json.loads((tmp_path / seed / "summary.json").read_text())
        assert summary["kept flat"] == is_flat
        assert (not Policy.load(tmp_path / seed).weights[-1].any()) == is_flat
    # What it came to is not lost.
    assert {row["growth"] for row in summary["validation"]} == {-0.01}


def test_only_the_untouched_part_is_judged(made, agents, said):
    assert said("agent", "evaluate", "--agents", agents)[0] == 0
    facts = json.loads((agents / "evaluation.json").read_text())
    told = read_tapes(made / "trees", {pair: examples.candles_of(pair) for pair in PAIRS})
    start = boundary_of(told.tapes, None, TEST_DAYS)
    assert start == BEGIN + 6 * 86400
    tapes = [tape.between(start, np.inf) for tape in told.tapes]
    policy = Policy.load(agents / "seeds" / "42")
    terms = Terms(policy.settings.market, told.barriers, told.horizon)
    courses = expected_value(Ground.of(tapes, policy.settings, terms))
    assert facts["others"]["expected value"] == worth_of(courses, examples.STEP).facts()
    assert facts["others"]["expected value"]["days"] == TEST_DAYS


def test_the_agent_that_is_best_on_validation_can_be_taken_away(agents, said, tmp_path):
    histories = {
        seed: json.loads((agents / "seeds" / seed / "history.json").read_text())
        for seed in ("42", "43")
    }
    best = max(histories, key=lambda seed: max(each[2] for each in histories[seed]))
    status, _, _ = said("agent", "export", "--agents", agents, "--out", tmp_path / "one")
    assert status == 0
    assert json.loads((tmp_path / "one" / "summary.json").read_text())["seed"] == best
    assert Policy.load(tmp_path / "one").settings.learning.seed == int(best)
    assert {path.name for path in (tmp_path / "one").iterdir()} == {
        "policy.npz",
        "agent.json",
        "summary.json",
    }
    asked = ["agent", "export", "--agents", agents, "--seed", "43"]
    assert said(*asked, "--out", tmp_path / "two")[0] == 0
    assert Policy.load(tmp_path / "two").settings.learning.seed == 43
    for words, message in [
        (["--out", tmp_path / "one"], "is not empty"),
        (["--out", tmp_path / "three", "--seed", "7"], "'best' or one of 42, 43. Received: 7"),
    ]:
        status, told, complaint = said(*asked, *words)
        assert (status, told, complaint.count("\n")) == (2, "", 1)
        assert message in complaint


def test_what_was_tried_is_remembered_as_soon_as_it_is_there(made, tmp_path, said, monkeypatch):
    """Whoever looks at some agents and stops has tried them."""
    remembered = []
    remember = AgentFolder.remember

    def watched(folder: AgentFolder, tried: Any) -> int:
        remembered.append(sorted(tried))
        return remember(folder, tried)

    monkeypatch.setattr(AgentFolder, "remember", watched)
    assert said(*train_words(made, tmp_path / "a", "--workers", "1"))[0] == 0
    assert remembered[:2] == [["seeds/42"], ["seeds/43"]]


def test_only_what_is_looked_back_on_lies_before_the_untouched_part(made, agents):
    plan = AgentFolder(agents).plan()
    tapes = untouched(plan, made / "trees")
    assert [tape.first for tape in tapes] == [1440, 1440]
    assert [tape.candles.date[1440] for tape in tapes] == [plan["boundary"]] * 2


def test_a_pair_that_ends_before_the_untouched_part_is_left_out(made, tmp_path, said):
    walk = cut_table(made, tmp_path / "trees", PAIRS[1], stop=BEGIN + 5 * 86400)
    words = train_words(made, tmp_path / "a", "--walk", str(walk), "--seeds", "1")
    assert said(*words)[0] == 0
    asked = ["agent", "evaluate", "--agents", tmp_path / "a", "--baseline-walk", made / "ranges"]
    status, told, complaint = said(*asked)
    assert (status, complaint) == (0, "")
    assert "note: ETH/USDT:USDT: its predictions end before the untouched part" in told
    # The rule on the predictions of ranges lives through the same candles, of BTC alone.
    others = json.loads((tmp_path / "a" / "evaluation.json").read_text())["others"]
    assert others["ranges, expected value"]["days"] == others["buy and hold"]["days"] == TEST_DAYS


def test_costs_that_no_signal_could_bear_leave_the_rule_out(made, tmp_path, said):
    assert said(*train_words(made, tmp_path / "a", "--fee", "0.02", "--seeds", "1"))[0] == 0
    asked = ["agent", "evaluate", "--agents", tmp_path / "a", "--baseline-walk", made / "ranges"]
    status, told, complaint = said(*asked)
    assert (status, complaint) == (0, "")
    assert "note: the rule of the expected value is left out" in told
    facts = json.loads((tmp_path / "a" / "evaluation.json").read_text())
    assert not any("expected value" in name for name in facts["others"])
    assert len(facts["notes"]) == 1


def test_the_baseline_must_reach_over_the_same_days(made, agents, said, tmp_path):
    shutil.copytree(made / "ranges", tmp_path / "ranges")
    last = pd.Timestamp(END - 86400, unit="s", tz="UTC")
    examples.rewrite_table(tmp_path / "ranges", lambda table: table[table["date"] < last])
    words = ["agent", "evaluate", "--agents", agents, "--baseline-walk", tmp_path / "ranges"]
    status, _, complaint = said(*words)
    assert (status, complaint.count("\n")) == (2, 1)
    for day in (BEGIN + 6 * 86400, END - 86400 - 300, END - 300):
        assert str(np.datetime64(day, "s")) in complaint


def test_damaged_tables_are_told_by_evaluate(agents, said, tmp_path):
    words = ["agent", "evaluate", "--agents", agents, "--baseline-walk", tmp_path / "none"]
    status, _, complaint = said(*words)
    assert (status, complaint.count("\n")) == (2, 1)
    assert "there is no out-of-sample table" in complaint


def test_other_code_does_not_go_into_the_same_folder(made, agents, said):
    plan = AgentFolder(agents).plan()
    assert {"code", "version of torch"} < plan["made with"].keys()
    rewrite_plan(agents, **{"made with": {**plan["made with"], "code": "0"}})
    status, _, complaint = said(*train_words(made, agents, "--seeds", "3"))
    assert status == 2
    assert "made with something else (made with.code: 0 -> " in complaint


def test_volume_is_a_part_of_what_was_learnt_from(made, agents, said, tmp_path):
    frame = examples.frame_of(PAIRS[0])
    frame["volume"] *= 2
    frame.to_feather(tmp_path / "BTC.feather")
    data = [str(tmp_path / "BTC.feather"), str(made / "ETH.feather")]
    rewrite_plan(agents, data=data)
    status, _, complaint = said("agent", "evaluate", "--agents", agents)
    assert status == 2
    assert "others than those that the agents have learnt from" in complaint


def test_a_pair_that_begins_later_is_no_hindrance_to_groups(made, tmp_path, said):
    late = BEGIN + 6 * 86400
    walk = cut_table(made, tmp_path / "trees", PAIRS[1], begin=late, stop=END)
    more = ["--walk", str(walk), "--combinatorial", "3", "1", "--seeds", "1"]
    status, told, complaint = said(*train_words(made, tmp_path / "c", *more))
    assert (status, complaint) == (0, "")
    assert told.count("held out ") == 3


def test_an_agent_is_trained_for_every_choice_of_groups(made, tmp_path, said):
    words = train_words(made, tmp_path / "c", "--combinatorial", "3", "1", "--seeds", "1")
    status, told, complaint = said(*words)
    assert (status, complaint) == (0, "")
    facts = json.loads((tmp_path / "c" / "combinatorial.json").read_text())
    assert list(facts["splits"]) == ["0", "1", "2"]
    assert told.count("held out ") == 3
    found = [growth for of_seeds in facts["splits"].values() for growth in of_seeds.values()]
    assert facts["worst"] == min(found)
    assert len(json.loads((tmp_path / "c" / "trials.json").read_text())) == 3
    for words in (["evaluate"], ["export", "--out", str(tmp_path / "one")]):
        status, _, complaint = said("agent", *words, "--agents", tmp_path / "c")
        assert (status, complaint.count("\n")) == (2, 1)
        assert f"are trained, in {tmp_path / 'c' / 'combinatorial.json'}" in complaint


MISTAKES = [
    (["--set", "learning.gama=1"], "learning.gama is unknown; did you mean 'learning.gamma'?"),
    (["--set", "timesteps=5"], "timesteps is unknown; did you mean 'learning.timesteps'?"),
    (["--set", "gamma"], "--set must be like"),
    (["--set", "learning.batch_size=100"], "must divide steps * accounts, 256"),
    (["--test-days", "9"], "the untouched part would begin -1.0 days after"),
    (["--timerange", "20210101-20220212"], "no out-of-sample table for the whole period"),
    (["--walk", "nowhere"], "there is no out-of-sample table"),
    (["--further", "nowhere"], "--further is of the observation 'published' only"),
    (["--combinatorial", "2", "2"], "more groups than are held out"),
    (["--seeds", "0"], "at least 1"),
    (["--until", "20220301", "--test-days", "2"], "not allowed with"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES)
def test_mistakes_are_told_in_one_line(words, message, made, said, tmp_path):
    status, _, complaint = said(*train_words(made, tmp_path / "o", *words))
    assert (status, complaint.count("\n")) == (2, 1)
    assert message in complaint
    assert not list(tmp_path.glob("o/seeds/*"))


def test_other_settings_do_not_go_into_the_same_folder(made, agents, said):
    status, _, complaint = said(*train_words(made, agents, "--set", "learning.gamma=0.9"))
    assert status == 2
    assert "made with something else (learning.gamma: 0.99 -> 0.9)" in complaint


def test_spot_pairs_are_not_sold_short(made, tmp_path, said):
    examples.walk_forward(tmp_path / "trees", ("BTC/USDT",))
    spot = ["--pair", "BTC/USDT", "--data", str(made / "BTC.feather"), "--walk", tmp_path / "trees"]
    status, _, complaint = said(
        *train_words(made, tmp_path / "o", *spot, "--set", "market.shorts=true")
    )
    assert status == 2
    assert "BTC/USDT is a spot pair, which cannot be sold short" in complaint
    status, told, _ = said(*train_words(made, tmp_path / "o", *spot, "--seeds", "1"))
    assert status == 0
    assert "note: BTC/USDT is a spot pair" in told
    assert not Policy.load(tmp_path / "o" / "seeds" / "42").settings.market.shorts


def test_pytorch_missing_is_told_with_its_remedy(made, tmp_path, said, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    status, told, complaint = said(*train_words(made, tmp_path / "o"))
    assert (status, told) == (2, "")
    assert "not installed: torch; install PyTorch's CPU build first" in complaint


def test_a_folder_that_cannot_be_written_is_told(made, tmp_path, said):
    (tmp_path / "file").write_text("")
    status, _, complaint = said(*train_words(made, tmp_path / "file" / "out"))
    assert status == 2
    assert "cannot be written" in complaint


def test_candles_that_have_changed_and_folders_without_agents_are_refused(
    made, agents, said, tmp_path
):
    status, _, complaint = said("agent", "evaluate", "--agents", tmp_path / "none")
    assert (status, complaint.count("\n")) == (2, 1)
    assert "there are no agents" in complaint
    rewrite_plan(agents, tapes=["0", "1"])
    status, _, complaint = said("agent", "evaluate", "--agents", agents)
    assert status == 2
    assert "others than those that the agents have learnt from" in complaint
    (agents / "agents.json").write_text("{")
    assert "is damaged" in said("agent", "evaluate", "--agents", agents)[2]


def test_the_baseline_must_be_ranges(made, agents, said):
    words = ["agent", "evaluate", "--agents", agents, "--baseline-walk", made / "trees"]
    status, _, complaint = said(*words)
    assert status == 2
    assert "its models are of kind 'trees'; the baseline is 'ranges'" in complaint


def study_words(*asked: str) -> list[list[str]]:
    found = [
        [list(words) for words in agent_study.steps(study, Path("nowhere") / name, 2)]
        for name, study in agent_study.studies(agent_study.parser_of().parse_args(asked))
    ]
    return [words for of_study in found for words in of_study]


def test_the_study_asks_for_the_market_and_the_timesteps_that_it_is_told():
    words = study_words("--market", "random-walk", "--market-seed", "7", "--timesteps", "300")
    assert [" ".join(each[:2]) for each in words] == [
        "sandbox data",
        "train --walk-forward",
        "train --walk-forward",
        "agent train",
        "agent evaluate",
    ]
    assert words[0][words[0].index("--seed") + 1] == "7"
    assert words[0][words[0].index("--market") + 1] == "random-walk"
    assert "learning.timesteps=300" in words[3]
    assert len(study_words()) == 10  # both markets
    assert len(study_words("--quick")) == 5


def test_the_study_takes_real_candles_instead():
    files = ["BTC.feather", "ETH.feather"]
    words = study_words(
        *("--pair", *PAIRS, "--data", *files, "--timerange", "20230901-20240229"),
        *("--train-days", "60"),
    )
    assert [each[0] for each in words] == ["train", "train", "agent", "agent"]
    for each in words[:3]:
        assert each[each.index("--pair") + 1 : each.index("--data") + 3] == [
            *PAIRS,
            "--data",
            *files,
        ]
    for each in words[:2]:
        assert "20230901-20240229" in each
        assert each[each.index("--train-days") + 1] == "60"


def test_the_table_of_results_is_that_of_the_stored_studies():
    told = (ROOT / "docs" / "agent.md").read_text().partition("## Results")[2]
    told = told.partition("Real candles")[0]
    rows = dict(re.findall(r"^\| ([^|]+) \| ([+-].*) \|$", told, re.MULTILINE))
    for column, study in enumerate(("planted", "random-walk")):
        path = ROOT / "benchmarks" / "agent_results" / f"{study}.json"
        facts = json.loads(path.read_text())
        agents = {name: 100 * each["growth"] for name, each in facts["agents"].items()}
        first = facts["others"]["random, first turnover"]
        known = {
            "median agent": agents[facts["median"]],
            "worst agent": agents[facts["worst"]],
            "expected value, same predictions": 100 * facts["others"]["expected value"]["growth"],
            "`ranges`, expected value": 100 * facts["others"]["ranges, expected value"]["growth"],
            "random, same turnover": 100 * facts["others"]["random, same turnover"]["growth"],
            "random, first turnover, while its account lives": 100
            * first["growth"]
            / first["alive"],
            "buy and hold": 100 * facts["others"]["buy and hold"]["growth"],
            "median agent minus expected value": 100
            * facts["median against"]["expected value"]["mean"],
        }
        for who, growth in known.items():
            number = rows[who].split(" | ")[column].split(" ")[0]
            digits = len(number.partition(".")[2])
            assert digits > 0
            assert number == f"{growth:+.{digits}f}", (study, who)


def test_the_table_of_settings_is_complete():
    rows = re.findall(
        r"^\| `([\w.]+)` \| ([^|]*) \| ([^|]*) \| ([^|]+) \|$",
        (ROOT / "docs" / "agent.md").read_text().partition("## Settings")[2],
        re.MULTILINE,
    )
    told = {key: (default.strip(), published.strip()) for key, default, published, _ in rows}
    known = {
        key: (as_in_readme(default), as_in_readme(published) if published != default else "")
        for (key, default), (_, published) in zip(
            leaves(AgentSettings()), leaves(PUBLISHED), strict=True
        )
    }
    assert len(rows) == len(told) > 30
    assert told == known


def test_the_published_agent_sees_further_horizons(made, tmp_path, said):
    further = examples.settings_of(12, pooling="whitelist")
    examples.walk_forward(tmp_path / "further", settings=further)
    small = ["learning.policy_units=[8]", "learning.value_units=[8]", "learning.epochs=1"]
    more = ["--preset", "published", "--further", str(tmp_path / "further"), "--seeds", "1"]
    status, _, complaint = said(*train_words(made, tmp_path / "p", *more, "--set", *small))
    assert (status, complaint) == (0, "")
    policy = Policy.load(tmp_path / "p" / "seeds" / "42")
    assert len(policy.columns) == 18
    assert {"class_2", "confidence_2", "SHORT_2", "LONG_2"} < set(policy.columns)
    assert policy.n_actions == 9
    assert said("agent", "evaluate", "--agents", tmp_path / "p")[0] == 0


def test_a_plan_that_led_to_no_agent_binds_nobody(tmp_path):
    folder = AgentFolder(tmp_path / "agents")
    folder.begin({"groups": 1})
    folder.begin({"groups": 4})
    assert folder.plan() == {"groups": 4}
    (tmp_path / "agents" / "seeds").mkdir()
    with pytest.raises(CommandError, match=r"made with something else \(groups: 4 -> 5\)"):
        folder.begin({"groups": 5})
    assert folder.plan() == {"groups": 4}
