"""Write a report as one HTML page that needs nothing but a browser."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from dualwindow.judging.findings import Findings
from dualwindow.reports.figures import THEMES, Theme, View
from dualwindow.reports.numbers import day, duration, listed, moment
from dualwindow.reports.sections import sections, tiles
from dualwindow.reports.words_of_page import MARKS, SOURCES

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

# In a script, these would end it or begin a comment; JSON may write any character so.
_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}
_ESCAPES |= {0x2028: "\\u2028", 0x2029: "\\u2029"}


def page(findings: Findings) -> str:
    """Lay a report out as a page; it is about 5 MB long, most of which is plotly.

    Raises
    ------
    ValueError
        If a number is none, which JSON cannot say.
    """
    about = findings.subject
    source = SOURCES[about.source]
    return laid_out(
        verdict=findings.verdict,
        title=f"{source} {about.name}",
        kicker=f"DualWindow report · made {moment(about.made_at)} UTC",
        facts=_facts(findings),
        tiles=list(tiles(findings)),
        sections=sections(findings),
        made=f"Made {moment(about.made_at)} UTC from {source.lower()} {about.name}. All times UTC.",
    )


def laid_out(**words: Any) -> str:
    """Put words and charts into the template that all pages share; see ``template/page.html``."""
    return _template().render(marks=MARKS, **words, **_parts())


def _facts(findings: Findings) -> str:
    about = findings.subject
    pairs = listed(about.pairs) if len(about.pairs) <= 6 else f"{len(about.pairs)} pairs"
    return " · ".join(
        (
            pairs or "no pair",
            f"{day(about.first)} to {day(about.last)}",
            f"candles of {duration(about.step)}",
            about.kind,
        )
    )


@cache
def _template() -> "Template":
    """Read the template; what is put into it is text, unless it says that it is markup."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("dualwindow.reports", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    environment.filters |= {"as_json": _as_json, "marked": _marked}
    return environment.get_template("page.html")


@cache
def _parts() -> dict[str, "Markup"]:
    """Read what is the same on every page: styles, and what draws."""
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    folder = files("dualwindow.reports") / "template"
    css = (folder / "page.css").read_text()
    for theme in THEMES:
        css = css.replace(f"{{{{ colours.{theme} }}}}", _variables(theme))
    return {
        "css": Markup(css),
        "start_js": Markup((folder / "start.js").read_text()),
        "page_js": Markup((folder / "page.js").read_text()),
        "plotly_js": Markup(get_plotlyjs()),
    }


def _variables(theme: Theme) -> str:
    return "\n".join(f"  --{name}: {colour};" for name, colour in THEMES[theme].items())


def _as_json(views: Sequence[View]) -> "Markup":
    from markupsafe import Markup

    plain: list[dict[str, Any]] = [asdict(view) for view in views]
    text = json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.translate(_ESCAPES))


def _marked(text: str) -> "Markup":
    """Show what stands between backticks as code; all else is text."""
    from markupsafe import Markup, escape

    parts = text.split("`")
    if len(parts) % 2 == 0:  # one of them is no pair's
        return escape(text)
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(p) if i % 2 else escape(p) for i, p in enumerate(parts))
