"""Write numbers, moments and shares as a reader wants them; what is unknown is a dash."""

from collections.abc import Iterable
from datetime import UTC, datetime

from dualwindow.judging.findings import Measured

UNKNOWN = "\u2013"  # a dash
MINUS = "\u2212"  # as wide as a plus


def number(value: float | None, form: str) -> str:
    """Format a number; one that rounds to 0 has no minus.

    Examples
    --------
    >>> number(0.0374, "+.3f"), number(-0.0001, ".2f")
    ('+0.037', '0.00')
    """
    if value is None:
        return UNKNOWN
    text = format(value, form)
    if text.startswith("-") and not text.strip("-0.,"):
        return text.replace("-", "+" if "+" in form else "")
    return text.replace("-", MINUS)


def count(value: float | None) -> str:
    """Format how many there are.

    Examples
    --------
    >>> count(1234567)
    '1,234,567'
    """
    return number(value, ",.0f")


def percent(value: float | None, digits: int = 1, *, sign: bool = False) -> str:
    """Format a fraction as per cent.

    Examples
    --------
    >>> percent(0.1234), percent(0.0021, 2, sign=True)
    ('12.3 %', '+0.21 %')
    """
    plus = "+" if sign else ""
    return UNKNOWN if value is None else f"{number(100 * value, f'{plus}.{digits}f')} %"


def hundredths(value: float | None, digits: int = 1) -> str:
    """Format a fraction as per cent where the heading has the unit.

    Examples
    --------
    >>> hundredths(0.1234)
    '12.3'
    """
    return UNKNOWN if value is None else number(100 * value, f".{digits}f")


def distance(long: float, short: float) -> str:
    """Format a distance as per cent where the heading has the unit; LONG's and SHORT's if not one.

    Examples
    --------
    >>> distance(0.01, 0.01), distance(0.01, 0.0025)
    ('1', '1/0.25')
    """
    return "/".join(f"{100 * each:.6g}" for each in dict.fromkeys((long, short)))


def with_error(value: float | None, error: float | None) -> str:
    """Format a fraction and its standard error as per cent where the heading has the unit.

    Examples
    --------
    >>> with_error(0.0021, 0.0004)
    '+0.21 ± 0.04'
    """
    if value is None:
        return UNKNOWN
    return f"{number(100 * value, '+.2f')} ± {hundredths(error, 2)}"


def skill(value: float | None) -> str:
    """Format a skill, or a difference of two.

    Examples
    --------
    >>> skill(0.0371)
    '+0.037'
    """
    return number(value, "+.3f")


def between(measured: Measured | None) -> str:
    """Format the interval of a mean, empty where there is none.

    Examples
    --------
    >>> between(Measured(mean=0.03, low=0.01, high=0.05))
    '+0.010 to +0.050'
    """
    if measured is None or measured.low is None or measured.high is None:
        return ""
    return f"{skill(measured.low)} to {skill(measured.high)}"


def moment(seconds: float | None, form: str = "%Y-%m-%d %H:%M") -> str:
    """Format a moment, in UTC.

    Examples
    --------
    >>> moment(1704758400)
    '2024-01-09 00:00'
    """
    return UNKNOWN if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):{form}}"


def day(seconds: float | None) -> str:
    """Format a day, in UTC.

    Examples
    --------
    >>> day(1704758400)
    '2024-01-09'
    """
    return moment(seconds, "%Y-%m-%d")


def duration(seconds: float) -> str:
    """Format a length of time by its largest unit that divides it.

    Examples
    --------
    >>> duration(300), duration(86400), duration(90)
    ('5 minutes', '1 day', '90 seconds')
    """
    units = ((86400, "day"), (3600, "hour"), (60, "minute"))
    size, unit = next((each for each in units if seconds % each[0] == 0), (1, "second"))
    n = seconds / size
    return f"{n:g} {unit}{'' if n == 1 else 's'}"


def listed(words: Iterable[str]) -> str:
    """Join words as one writes them.

    Examples
    --------
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *first, last = [*words]
    return f"{', '.join(first)} and {last}" if first else last
