import json

from benchmarks import agent_market


def test_the_table_has_all_numbers_of_accounts_and_both_sets_of_actions(
    tmp_path, monkeypatch, capsys
):
    written = tmp_path / "market.json"
    monkeypatch.setattr(
        "sys.argv", ["agent_market", "--steps", "3", "--rounds", "1", "--json", str(written)]
    )
    agent_market.main()
    rows = json.loads(written.read_text())["rows"]
    assert [(row["actions"], row["accounts"]) for row in rows] == [
        (kind, n) for kind in ("positions", "published") for n in (1, 16, 64, 256)
    ]
    table = capsys.readouterr().out.splitlines()
    assert len(table) == 9
    for row, line in zip(rows, table[1:], strict=True):
        per_second = 1e6 * row["accounts"] / row["microseconds_per_step"]
        assert abs(row["steps_per_second"] / per_second - 1) < 0.05
        assert line.split()[-1] == f"{row['steps_per_second']:,}"
