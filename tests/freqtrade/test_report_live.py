"""What a bot has predicted, as its report has it; and a page that is renewed beside it."""

import json
import shutil
import sqlite3
import subprocess
import sys
from datetime import datetime

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from dualwindow.learning.record import TrainingRecord
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, UNKNOWN, Labelling
from dualwindow_freqtrade.freqai.names import (
    DATE_OF_PREDICTION,
    REPORT_FILE,
    STORED_PREDICTIONS,
)
from dualwindow_freqtrade.live.status import STATUS_FILE
from dualwindow_freqtrade.live.stored_predictions import store_older, stored_predictions
from dualwindow_freqtrade.reporting import renewal
from dualwindow_freqtrade.reporting.deals import database_of, deals_of_bot
from dualwindow_freqtrade.reporting.judging import judging_of
from dualwindow_freqtrade.reporting.live import NothingYetError, live_evidence
from dualwindow_freqtrade.reporting.renewal import NOTHING_YET, Renewal
from dualwindow_freqtrade.reporting.run_file import LIVE_FILE, RunError, read_run, write_run
from dualwindow_freqtrade.reporting.status import status_of
from dualwindow_freqtrade.reporting.write import report_folder
from harness.freqai_run import PAIR, at, dry_run, live_configuration, train_now

RANGES = {"kind": "ranges", "spans": [3, 9]}
N = 40  # candles that are predicted, half of them by each model
SKIPPED = 10  # the bot is not asked for the candle before the one of this number
HORIZON = 20


@pytest.fixture(scope="module")
def bot(tmp_path_factory):
    """A bot that has predicted N candles with two models; its frames are on no disk."""
    user_data = tmp_path_factory.mktemp("bot")
    config = live_configuration(user_data, model_training_parameters=RANGES, purge_old_models=1)
    strategy, minutes = dry_run(config)
    strategy.config["db_url"] = config["db_url"] = f"sqlite:///{user_data / 'trades.sqlite'}"
    first = len(minutes) - N - 30
    at(strategy, minutes, first)
    folder = strategy.freqai.full_path
    with pytest.raises(NothingYetError, match="has no predictions of a bot yet"):
        live_evidence(folder)
    with pytest.MonkeyPatch.context() as patch:
        for i in range(N):
            if i in (0, N // 2):  # FreqAI names a model after the second of its training
                now = minutes["date"].iloc[first + i].timestamp()
                patch.setattr("freqtrade.freqai.data_kitchen.datetime", Clock(now))
                train_now(strategy)
            at(strategy, minutes, first + 1 + i + (i >= SKIPPED))
    strategy.freqai.dd.save_historic_predictions_to_disk()
    yield folder, strategy, minutes
    strategy.freqai.shutdown()


class Clock:
    """FreqAI's datetime, at another moment."""

    def __init__(self, now):
        self._now = now

    def now(self, tz):
        return datetime.fromtimestamp(self._now, tz)

    def __getattr__(self, name):
        return getattr(datetime, name)


def predicted(folder):
    rows = stored_predictions(folder)[PAIR]
    return rows[np.isclose(rows[list(CLASSES)].sum(axis=1), 1)].reset_index(drop=True)


def test_the_table_holds_what_was_predicted_with_each_model(bot):
    folder, *_ = bot
    evidence, stored = live_evidence(folder), predicted(folder)
    (walk,) = evidence.walks.values()
    assert len(stored) == N
    assert walk.table["date"].tolist() == stored[DATE_OF_PREDICTION].tolist()
    np.testing.assert_array_equal(walk.table[list(CLASSES)], stored[list(CLASSES)])
    assert walk.table["valid"].all()
    assert walk.table["fold"].tolist() == [0] * (N // 2) + [1] * (N // 2)
    moments = stored[DATE_OF_PREDICTION].to_numpy("datetime64[s]").astype(int)
    assert [(fold.start, fold.stop) for fold in walk.folds] == [
        (moments[0], moments[N // 2]),
        (moments[N // 2], moments[-1] + 60),
    ]
    assert (evidence.vetoed[PAIR] == (stored["do_predict"] != 1)).all()
    assert evidence.source == "live"
    assert evidence.live.pairs[0].predictions + evidence.live.pairs[0].without >= N


def test_labels_are_known_where_the_future_has_happened(bot):
    """Oracle: labels of the whole market, which the bot had a candle of at a time."""
    folder, _, minutes = bot
    evidence = live_evidence(folder)
    (walk,) = evidence.walks.values()
    labels = Labelling.of(walk.records[0].settings).label(Candles.from_frame(minutes, 60))
    expected = labels[minutes["date"].searchsorted(walk.table["date"])]
    expected[-HORIZON:] = UNKNOWN  # nobody knew
    expected[:SKIPPED] = UNKNOWN  # nobody saw the candle after them, and it is on no disk
    np.testing.assert_array_equal(walk.table["label"], expected)
    assert (expected != UNKNOWN).sum() == N - HORIZON - SKIPPED
    assert f"{PAIR}: candles that the bot was not there for, or too busy: 1;" in str(
        evidence.warnings
    )


def test_the_record_of_a_model_that_was_purged_is_kept(bot):
    folder, strategy, _ = bot
    strategy.freqai.dd.purge_old_models()
    assert len(list(folder.glob("sub-train-*"))) == 1
    kept = list(folder.glob(f"records/*/*{REPORT_FILE}"))
    assert [TrainingRecord.from_json(path.read_text()).pair for path in kept] == [PAIR]
    (walk,) = live_evidence(folder).walks.values()
    assert len(walk.table) == N
    content = kept[0].read_text()
    kept[0].unlink()
    evidence = live_evidence(folder)
    assert f"{PAIR}: {N // 2} candles were predicted by models whose records are gone" in str(
        evidence.warnings
    )
    assert len(next(iter(evidence.walks.values())).table) == N // 2
    kept[0].write_text(content)


def test_candles_on_disk_count_more_than_stored_prices(bot, tmp_path):
    folder, _, minutes = bot
    run = read_run(folder / LIVE_FILE)
    path = tmp_path / "futures" / "BTC_USDT_USDT-1m-futures.feather"
    path.parent.mkdir()
    n_known = len(minutes) - 45
    minutes.head(n_known).to_feather(path)
    market = run.market.model_copy(update={"candles": tmp_path})
    (folder / LIVE_FILE).write_text(run.model_copy(update={"market": market}).model_dump_json())
    candles = live_evidence(folder).candles[PAIR]
    (folder / LIVE_FILE).write_text(run.model_dump_json())
    whole = Candles.from_frame(minutes.iloc[: len(candles)], 60)
    assert n_known < len(candles) < len(minutes)
    for name in ("date", "high", "low", "close"):
        np.testing.assert_array_equal(getattr(candles, name), getattr(whole, name))
    np.testing.assert_array_equal(candles.volume[:n_known], whole.volume[:n_known])
    assert (candles.volume[n_known:] == 1).all()  # no candle was flat, so all were traded


def test_a_bot_on_spot_is_judged_by_what_is_long(bot):
    folder, strategy, _ = bot
    assert live_evidence(folder).can_short
    strategy.can_short, before = False, (folder / LIVE_FILE).read_bytes()
    try:
        noted = read_run(folder / LIVE_FILE)
        judging = judging_of(strategy, strategy.config)
        write_run(folder / LIVE_FILE, noted.model_copy(update={"judging": judging}))
        assert not live_evidence(folder).can_short
    finally:
        strategy.can_short = True
        (folder / LIVE_FILE).write_bytes(before)


def test_the_page_of_a_bot_is_written_by_a_process(bot):
    folder, *_ = bot
    words = [sys.executable, "-m", "dualwindow_freqtrade.reporting.renew"]
    done = subprocess.run([*words, folder, "live"], capture_output=True, text=True, check=False)
    page = report_folder(folder, is_live=True) / "report.html"
    assert (done.returncode, done.stdout) == (0, f"The report: {page}\n"), done.stderr
    assert page.stat().st_size > 100_000
    assert '"source": "live"' in page.with_name("report.json").read_text()
    none = folder.parent / "none"
    done = subprocess.run([*words, none, "live"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"{none} has no dualwindow_live.json" in done.stderr


def test_a_damaged_store_is_named(bot, tmp_path):
    folder, *_ = bot
    copy = tmp_path / "test"
    shutil.copytree(folder, copy)
    (copy / "historic_predictions.pkl").write_bytes(b"no pickle")
    with pytest.raises(RunError, match="are damaged"):
        live_evidence(copy)


@pytest.fixture
def renewing(tmp_path, monkeypatch):
    """Make a renewal whose clock is moved by hand."""
    clock, saved, made = [0.0], [], []
    monkeypatch.setattr(renewal, "elapsed", lambda: clock[0])

    def make(code, minutes=10):
        words = [sys.executable, "-c", code]
        one = Renewal(tmp_path, {}, 60, minutes, lambda: saved.append(clock[0]), words)
        made.append(one)
        return one

    yield make, clock, saved
    for one in made:
        one.stop()


def wait(one):
    """Wait until the process has ended, which `look` never does."""
    one._child.wait(60)


def test_a_page_is_due_after_some_minutes_and_one_process_runs_at_a_time(renewing, tmp_path):
    make, clock, saved = renewing
    one = make(f"open({str(tmp_path / 'pages')!r}, 'a').write('x')")
    one.look()
    assert (one._child, saved) == (None, [])
    clock[0] = 300.0  # the first is due after five minutes at most
    one.look()
    child = one._child
    assert child is not None
    wait(one)
    one.look()  # sees that it has ended
    for moment in (310.0, 600.0, 899.0):
        clock[0] = moment
        one.look()
    assert (one._child, saved) == (None, [300.0])
    clock[0] = 900.0
    one.look()
    wait(one)
    assert saved == [300.0, 900.0]
    assert (tmp_path / "pages").read_text() == "xx"


def test_without_minutes_nothing_is_ever_started(renewing):
    make, clock, saved = renewing
    one = make("1 / 0", minutes=None)
    clock[0] = 1e9
    one.look()
    assert (one._child, saved) == (None, [])


def test_a_process_that_hangs_is_ended_and_warned_of_once(renewing, caplog):
    make, clock, _ = renewing
    one = make("import time; time.sleep(3600)")
    for n_pages in range(2):
        clock[0] += 600.0
        one.look()
        child = one._child
        clock[0] += renewal.LONGEST
        one.look()
        assert one._child is child, n_pages  # it may take so long
        clock[0] += 1
        one.look()  # ends it, and does not wait for that
        wait(one)
        one.look()
        assert one._child is None
        assert child.returncode == -9
    assert caplog.text.count("cannot be renewed (told once): it was not done after 600 s") == 1


def test_a_process_that_fails_is_warned_of_once_with_its_last_word(renewing, caplog):
    make, clock, _ = renewing
    one = make("raise SystemExit('the disk is full')")
    for _ in range(3):
        clock[0] += 600.0
        one.look()
        wait(one)
        one.look()
    assert caplog.text.count("(told once): status 1; the disk is full") == 1


def test_nothing_to_judge_yet_is_no_warning(renewing, caplog):
    make, clock, _ = renewing
    one = make(f"raise SystemExit({NOTHING_YET})")
    clock[0] = 600.0
    one.look()
    wait(one)
    one.look()
    assert caplog.text == ""


def test_what_cannot_be_started_does_not_reach_the_bot(renewing, caplog):
    make, clock, _ = renewing
    one = make("")
    one._program = ["/nowhere/python"]  # as when an update has moved it
    clock[0] = 600.0
    one.look()
    one.look()
    assert caplog.text.count("cannot be renewed (told once)") == 1


def test_it_ends_with_the_bot(renewing):
    make, clock, _ = renewing
    one = make("import time; time.sleep(3600)")
    clock[0] = 600.0
    one.look()
    child = one._child
    one.stop()
    assert child.returncode == -9
    one.stop()


def test_a_page_can_be_of_the_last_days_alone(bot, tmp_path):
    folder = shutil.copytree(bot[0], tmp_path / "test")
    stored = stored_predictions(folder)
    for days in (90, 60, 30):
        date = stored[PAIR][DATE_OF_PREDICTION] - pd.Timedelta(days=days)
        older = stored[PAIR].assign(**{DATE_OF_PREDICTION: date.dt.as_unit("ms")})
        store_older(folder, PAIR, older)
    both = stored | {"ODD/USDT": stored[PAIR].drop(columns=[CLASSES[0]])}
    (folder / STORED_PREDICTIONS).write_bytes(cloudpickle.dumps(both))
    whole = live_evidence(folder)
    assert not any("days alone" in text for text in live_evidence(folder, days=99).warnings)
    min(folder.glob("predictions/*/*")).write_bytes(b"damaged")  # reading it would fail
    latest = live_evidence(folder, days=28)
    (all_of_it,), (mine,) = whole.walks.values(), latest.walks.values()
    assert len(mine.table) == N < len(all_of_it.table)
    assert mine.table["date"].min() >= stored[PAIR][DATE_OF_PREDICTION].min()
    (told,) = (text for text in latest.warnings if "the last 28 days alone" in text)
    assert "dualwindow report --live" in told
    for evidence in (whole, latest):
        assert "ODD/USDT: its stored predictions lack SHORT; it is left out" in evidence.warnings


def test_an_odd_status_costs_only_its_pair(bot, tmp_path):
    told = json.loads((bot[0] / STATUS_FILE).read_text())
    path = tmp_path / STATUS_FILE
    for odd in ([], {}, {"predictions": "many"}):
        path.write_text(json.dumps({"pairs": {**told["pairs"], "ODD/USDT": odd}}))
        warnings = []
        assert [each.pair for each in status_of(tmp_path, warnings)] == [PAIR]
        (warning,) = warnings
        assert warning.startswith("ODD/USDT: its status in ")
    for whole in ("[]", '{"pairs": []}', "{", "{}"):
        path.write_text(whole)
        warnings = []
        assert status_of(tmp_path, warnings) == ()
        assert len(warnings) == 1
    path.unlink()
    warnings = []
    assert (status_of(tmp_path, warnings), warnings) == ((), [])


def test_a_bots_trades_are_read_and_never_written(tmp_path):
    path = tmp_path / "trades.sqlite"
    columns = "pair, is_short, open_date, close_date, open_rate, close_rate, close_profit"
    names, longer = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "2024-01-02 01:00:00"
    with sqlite3.connect(path) as database:
        database.execute(f"create table trades ({columns}, enter_tag, exit_reason, strategy)")
        rows = [
            (PAIR, 1, "2024-01-02 00:01:00.000", "2024-01-02 00:09:00", 5.0, 4.0, 0.2, "s", "roi"),
            (PAIR, 0, "2024-01-02 00:20:00", None, 5.0, 5.5, 0.1, None, None),
            (PAIR, 0, "2024-01-01 23:59:00", None, 5.0, None, None, None, None),
            ("XRP/USDT:USDT", 0, "2024-01-02 00:20:00", None, 5.0, None, None, None, None),
        ]
        database.executemany(f"insert into trades values {names}", [(*r, "Mine") for r in rows])
        others = [(*rows[1], "Another"), (PAIR, 0, longer, *rows[1][3:], "Mine")]
        database.executemany(f"insert into trades values {names}", others)
    path.chmod(0o444)
    first = pd.Timestamp("2024-01-02", tz="UTC").timestamp()
    short, long = deals_of_bot(path, "Mine", {PAIR: (first, first + 3600)}).deals
    assert (short.side, short.opened, short.closed) == ("SHORT", first + 60, first + 540)
    assert (short.open_rate, short.close_rate, short.profit) == (5.0, 4.0, 0.2)
    assert (short.tag, short.reason) == ("s", "roi")
    assert (long.side, long.closed, long.close_rate, long.profit) == ("LONG", None, None, None)
    assert (long.tag, long.reason) == ("", "")


def test_a_database_that_is_not_there_is_told(tmp_path):
    deals, _, (warning,) = deals_of_bot(tmp_path / "no.sqlite", "Mine", {PAIR: (0, 9)})
    assert deals is None
    assert "the bot's trades cannot be read: unable to open database file" in warning
    assert not (tmp_path / "no.sqlite").exists()
    assert deals_of_bot(None, "Mine", {PAIR: (0, 9)}).deals is None


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("sqlite:////tmp/one.sqlite", "/tmp/one.sqlite"),
        ("sqlite:///", None),
        ("sqlite://", None),
        ("postgresql://me:secret@host/trades", None),
        (None, None),
    ],
)
def test_only_a_file_is_noted_of_a_database(url, name):
    found = database_of({"db_url": url})
    assert (None if found is None else str(found)) == name
