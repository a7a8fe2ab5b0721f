"""What it takes to log in to the bot's REST API."""

import os
import stat

import pytest
from freqtrade.enums import RunMode
from freqtrade.resolvers import StrategyResolver

from dualwindow.market import files
from dualwindow_freqtrade.live.rest_api import CredentialsError, close_rest_api, rest_credentials
from harness.freqai_run import live_configuration


def test_credentials_are_made_up_once_and_only_the_owner_reads_them(tmp_path):
    path = tmp_path / "user_data" / "rest_api.json"
    first = rest_credentials(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(first["jwt_secret_key"]) >= 32
    assert len(first["password"]) >= 16
    assert rest_credentials(path) == first
    assert rest_credentials(tmp_path / "other.json")["password"] != first["password"]


def test_credentials_are_there_wholly_or_not_and_nobody_else_reads_them_meanwhile(
    tmp_path, monkeypatch
):
    path, modes = tmp_path / "rest_api.json", []

    def full(descriptor: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        raise OSError("full")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        rest_credentials(path)
    assert modes == [0o600]
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert rest_credentials(path) == rest_credentials(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "damaged"), ("3", "damaged"), ('{"jwt_secret_key": "x"}', "no password")],
)
def test_credentials_that_cannot_be_read_are_named(tmp_path, content, said):
    path = tmp_path / "rest_api.json"
    path.write_text(content)
    with pytest.raises(CredentialsError, match=said):
        rest_credentials(path)


def test_a_password_of_the_users_own_stays_but_not_freqtrades_public_secret(tmp_path):
    def api_of(**given: str) -> dict:
        config = live_configuration(tmp_path)
        public = "somethingRandomSomethingRandom123"
        given = {"enabled": True, "username": "me", "jwt_secret_key": public} | given
        strategy = StrategyResolver.load_strategy(config | {"api_server": given})
        return strategy.config["api_server"]

    mine, none = api_of(password="mine"), api_of(password="")
    assert (mine["username"], mine["password"]) == ("me", "mine")
    assert len(none["password"]) >= 16
    for api in (mine, none):
        assert len(api["jwt_secret_key"]) == 64
    assert api_of(password="mine", jwt_secret_key="x" * 40)["jwt_secret_key"] == "x" * 40


@pytest.mark.parametrize(
    "change", [{"runmode": RunMode.BACKTEST}, {"api_server": {"enabled": False}}, {}]
)
def test_only_the_server_of_a_bot_is_given_credentials(tmp_path, change):
    config = {"runmode": RunMode.DRY_RUN, "user_data_dir": tmp_path}
    config |= {"api_server": {"enabled": True}} | change
    close_rest_api(config)
    assert ("password" in config["api_server"]) == (change == {})
    assert (tmp_path / "rest_api.json").exists() == (change == {})
