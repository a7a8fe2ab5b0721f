"""The report of a bot that runs: it may neither slow the bot nor keep it from writing."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial

import pandas as pd
import pytest

from dualwindow_freqtrade.reporting.deals import deals_of_bot
from dualwindow_freqtrade.reporting.renewal import Renewal
from harness.freqai_run import PAIR

# Ends when something is imported that takes long, and says how it would have been.
UNTIL_HEAVY = """
import os, runpy, signal, sys, types

def find_spec(name, path=None, target=None):
    if name in ("freqtrade", "numpy", "pandas", "pydantic"):
        sys.exit(f"{name}: priority {os.nice(0)}, alarm in {signal.alarm(0)} s")

sys.meta_path.insert(0, types.SimpleNamespace(find_spec=find_spec))
sys.argv[1:] = ["/nowhere", sys.argv[1]]
runpy.run_module("dualwindow_freqtrade.reporting.renew", run_name="__main__")
"""


def test_it_shares_the_bots_session_but_not_its_ctrl_c(tmp_path):
    """The kernel shares a busy core among sessions, and by priority only within each."""
    words = [sys.executable, "-c", "import time; time.sleep(3600)"]
    one = Renewal(tmp_path, {}, 60, 10, lambda: None, words)
    one._due = 0.0
    one.look()
    try:
        assert os.getsid(one._child.pid) == os.getsid(0)
        assert os.getpgid(one._child.pid) == one._child.pid != os.getpgrp()
    finally:
        one.stop()


@pytest.mark.parametrize(("kind", "priority"), [("live", 19), ("backtest", os.nice(0))])
def test_its_priority_is_the_lowest_before_anything_takes_long(kind, priority):
    words = [sys.executable, "-c", UNTIL_HEAVY, kind]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    said = re.fullmatch(r"\w+: priority (\d+), alarm in (\d+) s\n", done.stderr)
    assert said, done.stderr
    assert int(said[1]) == priority
    assert 0 < int(said[2]) <= 600


def test_a_bot_can_write_while_its_trades_are_read(tmp_path, monkeypatch):
    path, n, first = tmp_path / "trades.sqlite", 1000, pd.Timestamp("2024-01-02", tz="UTC")
    columns = "pair, is_short, open_date, close_date, open_rate, close_rate, close_profit"
    moments = [first + pd.Timedelta(minutes=i) for i in range(-n, n)]
    rows = [
        (PAIR, 0, f"{m:%Y-%m-%d %H:%M:%S.%f}", None, 5.0, None, None, "", "", strategy)
        for m in reversed(moments)
        for strategy in ("Mine", "Another")
    ]
    bot = sqlite3.connect(path, timeout=0)
    commits = []

    class Reader(sqlite3.Connection):
        def execute(self, *asked):
            bot.execute("update trades set close_rate = 4.0 where rowid = 1")
            bot.commit()  # raises if the lock is still held for what was asked before
            commits.append(asked)
            return super().execute(*asked)

    with closing(bot):
        bot.execute(f"create table trades ({columns}, enter_tag, exit_reason, strategy)")
        bot.executemany(f"insert into trades values ({', '.join('?' * 10)})", rows)
        bot.commit()
        monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Reader))
        span = first.timestamp(), first.timestamp() + 60 * (n - 10)
        deals, _, warnings = deals_of_bot(path, "Mine", {PAIR: span, "XRP/USDT:USDT": span})
    assert warnings == ()
    assert [deal.opened for deal in deals] == [m.timestamp() for m in moments[n:-10]]
    assert len(commits) >= len(rows) / 100
