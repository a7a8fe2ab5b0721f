"""The ladder where there is nothing to hold against each other, or names that clash."""

import numpy as np
import walks
from examples_evidence import evidence, walked

from dualwindow.judging.finding import find
from dualwindow.judging.skill import FREQUENCIES
from dualwindow.market.labels import CLASSES
from dualwindow.reports.page import page


def without(walk, missing):
    kept = {name: walk.table[name].where(~missing) for name in CLASSES}
    return walk._replace(table=walk.table.assign(valid=~missing, **kept))


def test_those_who_share_no_candle_are_not_laid_out():
    walk = walked(walks.settings())
    is_even = np.arange(len(walk.table)) % 2 == 0
    halves = {"even": without(walk, ~is_even), "odd": without(walk, is_even)}
    found = find(evidence(walks=halves), 0.0)
    assert found.skill.ladder == ()
    assert found.skill.mean.mean is not None
    (said,) = [text for text in found.warnings if text.startswith("Not held against each other")]
    assert "there is no candle that all have predicted" in said
    assert "Not held against each other" in page(found)


def test_a_folder_that_is_named_as_the_yardstick_has_a_rung_of_its_own():
    walk = walked(walks.settings())
    found = find(evidence(walks={FREQUENCIES: walk}), 0.0).skill
    rungs = {rung.name: rung.skill.mean for rung in found.ladder}
    assert set(rungs) == {FREQUENCIES, f"{FREQUENCIES} (folder)", "three numbers (ranges)"}
    assert rungs[FREQUENCIES] == 0 != rungs[f"{FREQUENCIES} (folder)"]
