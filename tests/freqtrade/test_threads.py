import os

import pytest

from dualwindow_freqtrade.freqai.threads import allowed_threads


@pytest.mark.parametrize(
    ("wanted", "is_live", "n_cores", "expected"),
    [
        (None, False, 4, None),
        (None, True, 4, 3),
        (None, True, 1, 1),
        (1, False, 4, 1),
        (4, True, 4, 4),
    ],
)
def test_a_bot_keeps_a_core_to_itself_unless_told_otherwise(
    monkeypatch, wanted, is_live, n_cores, expected
):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(n_cores)))
    assert allowed_threads(wanted, is_live=is_live) == expected
