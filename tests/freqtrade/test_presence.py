"""The lock that tells whether a bot runs, beside promotions and other users."""

import errno
import logging
import os

import pytest
from freqtrade.exceptions import OperationalException

from dualwindow_freqtrade.live import folder as live_folder
from dualwindow_freqtrade.live import presence
from dualwindow_freqtrade.live.presence import (
    BotRunsError,
    Presence,
    is_bot_there,
    without_bot,
)
from harness.freqai_run import dry_run, live_configuration


def test_a_bot_is_there_before_it_reads_what_a_promotion_may_write(tmp_path, monkeypatch):
    seen = []

    def repair(folder):
        with pytest.raises(BotRunsError), without_bot(folder):
            pass
        seen.append(folder)

    monkeypatch.setattr(live_folder, "repair_folder", repair)
    strategy, _ = dry_run(live_configuration(tmp_path))
    strategy.freqai.shutdown()
    assert seen == [strategy.freqai.full_path]
    assert is_bot_there(seen[0]) is False


def test_a_bot_waits_for_a_promotion_but_not_for_ever(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(presence, "_PAUSE", 0.0)
    with (
        without_bot(tmp_path),
        pytest.raises(OperationalException, match=r"held by a promotion.*start the bot once"),
    ):
        Presence(tmp_path)
    waited = [text for text in caplog.messages if text.startswith("Waiting for a promotion")]
    assert len(waited) == 1
    held = without_bot(tmp_path)
    held.__enter__()
    monkeypatch.setattr(presence.time, "sleep", lambda _: held.__exit__(None, None, None))
    bot = Presence(tmp_path)
    assert is_bot_there(tmp_path)
    bot.leave()


@pytest.mark.parametrize("why", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_lock_that_can_only_be_read_can_be_tested(tmp_path, monkeypatch, why):
    bot, opened = Presence(tmp_path), os.open

    def only_to_read(path, flags, *mode):
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise OSError(why, os.strerror(why), str(path))
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", only_to_read)
    assert is_bot_there(tmp_path)
    bot.leave()
    assert is_bot_there(tmp_path) is False


def test_a_disk_that_fails_is_no_lock_that_can_only_be_read(tmp_path, monkeypatch):
    Presence(tmp_path).leave()

    def fails(path, flags, *mode):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(os, "open", fails)
    with pytest.raises(OSError, match="Input/output error"):
        is_bot_there(tmp_path)
