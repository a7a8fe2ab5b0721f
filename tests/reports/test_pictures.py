"""Pictures are drawn by kaleido in the same Chromium, from the same figures as the page."""

import struct
import sys
from pathlib import Path

import examples_findings
import pytest
from pages import need_chromium

from dualwindow.reports.charts import charts
from dualwindow.reports.pictures import PictureError, write_pictures


def size_of(path: Path) -> tuple[int, int]:
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", content[16:24])


def few() -> examples_findings.Findings:
    """Two charts, one of them with two views of the same name."""
    found = examples_findings.poor()
    curve = examples_findings.curve("A/USDT, lstm", 0, 4, 1)
    return found.model_copy(update={"exits": {"a": 3}, "learning": (curve, curve)})


def test_a_picture_of_each_view(tmp_path):
    need_chromium()
    found = few()
    written = write_pictures(found, tmp_path / "new")
    assert [path.name for path in written] == [
        "exits.png",
        "learning-a-usdt-lstm-1970-01-01.png",
        "learning-a-usdt-lstm-1970-01-01-again.png",
    ]
    assert sorted((tmp_path / "new").iterdir()) == sorted(written)
    views = [view for chart in charts(found) for view in chart.views]
    for path, view in zip(written, views, strict=True):
        width, height = size_of(path)
        assert width in (2 * 760, 2 * 1000)
        assert height > 2 * view.figure["layout"]["height"]
        assert path.stat().st_size > 10_000  # an empty one has 5,000


def test_without_kaleido_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kaleido", None)
    with pytest.raises(PictureError, match=r"pip install 'dualwindow\[png\]'"):
        write_pictures(few(), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_without_a_browser_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    with pytest.raises(PictureError, match="apt-get install chromium"):
        write_pictures(few(), tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_draw(tmp_path):
    assert write_pictures(examples_findings.poor(), tmp_path / "new") == []
    assert not (tmp_path / "new").exists()
