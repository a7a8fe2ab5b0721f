"""What a run leaves for its report has nothing in it that is secret."""

import stat

from dualwindow_freqtrade.reporting.run_file import Judging, Run, command_of, market_of, write_run
from harness.freqai_run import configuration

SECRET = "hush"


def test_no_secret_is_written(tmp_path):
    config = configuration(tmp_path)
    config["exchange"] |= {"key": SECRET, "secret": SECRET, "ccxt_config": {"password": SECRET}}
    remote = {"method": "RemotePairList", "bearer_token": SECRET}
    remote["pairlist_url"] = f"https://user:{SECRET}@example.com/pairs?token={SECRET}"
    config |= {"pairlists": [remote], "telegram": {"token": SECRET}, "api_server": {"pw": SECRET}}
    run = Run(
        made_at=1.0,
        judging=Judging(confidence=None, words="by hand", fees=0.0),
        market=market_of(config, 60),
        command=command_of(config, "DualWindowStrategy"),
    )
    path = tmp_path / "run.json"
    write_run(path, run)
    written = path.read_text()
    assert "RemotePairList" in written
    assert SECRET not in written
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
