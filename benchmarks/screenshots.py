"""Take the pictures of docs/: what is on the screen of a desk and of a phone, light and dark."""

import argparse
import io
import sys
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser

from dualwindow.judging.findings import Findings
from dualwindow.reports.page import page
from harness.browser import DESKTOP, PHONE, Theme, browser, problems, visit
from harness.places import ROOT

MOST_BYTES = 300_000


class Shot(NamedTuple):
    """A picture: its name, with which part of the page it begins, how wide and high it is."""

    name: str
    part: str
    width: int
    height: int
    theme: Theme


SHOTS = (
    Shot("report-desktop", "header", DESKTOP, 1240, "light"),
    Shot("report-decisions", "#decisions", DESKTOP, 1060, "light"),
    Shot("report-dark", "#reliability", DESKTOP, 620, "dark"),
    Shot("report-phone", "header", PHONE, 1500, "dark"),
)


def shoot(started: Browser, path: Path, shot: Shot) -> bytes:
    """Take one picture: of the whole page, of which the part is cut out."""
    with visit(started, path, shot.width, shot.theme) as seen:
        seen.draw_all()
        top = seen.page.eval_on_selector(
            shot.part, "part => Math.max(0, part.getBoundingClientRect().top + scrollY - 24)"
        )
        content = seen.page.screenshot(full_page=True)
    picture, small = Image.open(io.BytesIO(content)).convert("RGB"), io.BytesIO()
    part = picture.crop((0, int(top), picture.width, min(int(top) + shot.height, picture.height)))
    part.save(small, "PNG", optimize=True)
    return small.getvalue()


def main(words: list[str]) -> int:
    """Take all pictures of a report; 1 if its page has a fault or a picture is too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path, help="folder with a report.json")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    arguments = parser.parse_args(words)
    found = Findings.from_json((arguments.report / "report.json").read_text())
    path = arguments.report / "screenshots.html"
    path.write_text(page(found))
    arguments.out.mkdir(exist_ok=True)
    faults = []
    with browser() as started:
        for width in (DESKTOP, PHONE):
            faults += problems(started, path, width)
        for shot in SHOTS:
            content = shoot(started, path, shot)
            (arguments.out / f"{shot.name}.png").write_bytes(content)
            print(f"{shot.name}: {len(content):,} bytes")
            if len(content) > MOST_BYTES:
                faults.append(f"{shot.name} is larger than {MOST_BYTES:,} bytes")
    path.unlink()
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
