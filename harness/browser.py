"""A report's page in a real browser, offline: what it draws, says, weighs and complains about."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page, sync_playwright

Theme = Literal["light", "dark"]
DESKTOP, PHONE = 1280, 390
HEIGHTS = {DESKTOP: 900, PHONE: 844}

# What a chart shows beside what the page's JSON says, colours apart, which a theme replaces.
_CHARTS = """() => [...document.querySelectorAll('.card[data-name]')].map((card) => {
  const place = card.querySelector('.chart');
  const choice = card.querySelector('select');
  const views = JSON.parse(document.getElementById(`views-${card.dataset.name}`).textContent);
  const given = views[choice ? choice.selectedIndex : 0];
  const box = place.querySelector('svg.main-svg')?.getBoundingClientRect();
  return {
    name: card.dataset.name,
    label: place.getAttribute('aria-label'),
    shown: (place.data ?? []).map(({x, y, z}) => ({x, y, z})),
    given: given.figure.data.map(({x, y, z}) => ({x, y, z})),
    head: given.table.head,
    rows: given.table.rows,
    width: box?.width ?? 0,
    height: box?.height ?? 0,
    room: place.clientWidth,
    marks: place.querySelectorAll('.mlayer path, .mlayer image').length,
    clipped: [...place.querySelectorAll('svg text')].filter((text) => {
      const its = text.getBoundingClientRect();
      const whole = place.getBoundingClientRect();
      return its.width > 0 && text.textContent.trim() &&
        (its.left < whole.left - 1 || its.right > whole.right + 1 ||
         its.top < whole.top - 1 || its.bottom > whole.bottom + 1);
    }).map((text) => text.textContent),
  };
})"""
_PAINTED = """() => {
  const entry = performance.getEntriesByName('first-contentful-paint')[0];
  return entry ? entry.startTime : null;
}"""
_TABLES = """() => [...document.querySelectorAll('table')].map(
  (table) => [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent)))"""


@dataclass(frozen=True)
class Drawn:
    """A chart as the browser has it: what plotly drew, and what it was given."""

    name: str
    label: str
    shown: list[dict[str, Any]]
    given: list[dict[str, Any]]
    head: list[str]
    rows: list[list[str]]
    width: float
    height: float
    room: float
    marks: int
    clipped: list[str]


@dataclass
class Visit:
    """A page that is open; `complaints` are its console messages, errors and requests."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def draw_all(self) -> None:
        """Draw what has not been scrolled to."""
        self.page.evaluate("drawAll()")

    def charts(self) -> list[Drawn]:
        """Tell of every chart what is drawn."""
        return [Drawn(**each) for each in self.page.evaluate(_CHARTS)]

    def tables(self) -> list[list[list[str]]]:
        """Read the cells of every table on the page, row by row."""
        return self.page.evaluate(_TABLES)

    def open_tables(self) -> None:
        """Unfold the numbers behind every chart."""
        self.page.evaluate(
            "document.querySelectorAll('details').forEach((d) => { d.open = true; })"
        )
        self.page.wait_for_function(
            "[...document.querySelectorAll('details .box')].every((box) => box.children.length)"
        )

    def seconds_to_first_paint(self) -> float:
        """Say when the first words were there."""
        self.page.wait_for_function(f"({_PAINTED})() !== null")
        return self.page.evaluate(_PAINTED) / 1000

    def overflow(self) -> int:
        """Say how many pixels wider the page is than the screen."""
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def screenshot(self, path: Path, *, full: bool = True) -> Path:
        """Take a picture of the page, or of what is on the screen."""
        self.page.screenshot(path=path, full_page=full)
        return path


def chromium() -> Path | None:
    """Find the system's Chromium; playwright's own browsers are never downloaded."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    return Path(found) if found else None


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium without a screen.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    path = chromium()
    if path is None:
        raise FileNotFoundError("there is no chromium on this machine: apt-get install chromium")
    with sync_playwright() as machinery:
        started = machinery.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


@contextmanager
def visit(
    started: Browser, path: Path, width: int = DESKTOP, theme: Theme = "light", scale: float = 1
) -> Iterator[Visit]:
    """Open a page from the disk, as on a machine without a network.

    Parameters
    ----------
    started : of `browser`
    path : of the page
    width : of the screen; that of a phone is touched, not pointed at
    theme : what the system prefers
    scale : pixels of a picture per pixel of the page
    """
    is_phone = width == PHONE
    context = started.new_context(
        viewport={"width": width, "height": HEIGHTS[width]},
        color_scheme=theme,
        has_touch=is_phone,
        is_mobile=is_phone,
        offline=True,
        device_scale_factor=scale,
    )
    seen = Visit(context.new_page())
    page, complaints = seen.page, seen.complaints
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    own = path.resolve().as_uri()
    page.on("request", lambda asked: complaints.extend(_others(asked.url, own)))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    try:
        page.goto(own)
        yield seen
    finally:
        context.close()


def _others(url: str, own: str) -> list[str]:
    """Name what a page asks for beside itself."""
    return [] if url.startswith((own, "data:", "blob:")) else [f"request: {url}"]


def problems(
    started: Browser, path: Path, width: int = DESKTOP, theme: Theme = "light"
) -> list[str]:
    """Open a report's page, draw all charts, unfold all tables, and say what is wrong with it."""
    with visit(started, path, width, theme) as seen:
        seen.draw_all()
        seen.open_tables()
        drawn, tables = seen.charts(), seen.tables()
        found = [f"{more} pixels too wide"] if (more := seen.overflow()) else []
        if not drawn:
            found.append("no chart at all")
        for each in drawn:
            found += [f"{each.name}: {fault}" for fault in _faults(each, tables)]
        return [*found, *seen.complaints]


def _faults(drawn: Drawn, tables: list[list[list[str]]]) -> Iterator[str]:
    if not drawn.marks:
        yield "nothing is drawn"
    if drawn.shown != drawn.given:
        yield "what is drawn is not what the page's JSON says"
    if drawn.width > drawn.room + 1 or drawn.height < 100:
        yield f"{drawn.width} x {drawn.height} pixels in {drawn.room}"
    if drawn.clipped:
        yield f"cut off: {drawn.clipped}"
    if not drawn.label:
        yield "nothing is said to those who cannot see it"
    if [drawn.head, *drawn.rows] not in tables:
        yield "its table is not what the page's JSON says"
