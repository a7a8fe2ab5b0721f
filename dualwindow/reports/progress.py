"""Show how far a long command has come: a bar on a terminal, lines where somebody reads a log."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dualwindow.outside import elapsed

_SECONDS = 15.0  # between two lines that tell nothing but the count
# The bars that are shown; a terminal has room for one display at a time.
_SHOWN: ContextVar[Progress | None] = ContextVar("shown", default=None)


class Steps:
    """The steps of a command, of which more and more are done; `steps` makes it.

    Parameters
    ----------
    what : is counted, as ``windows``
    total : how many there will be; None while nobody knows
    bar : of a terminal; switched off where there is none
    """

    def __init__(self, what: str, total: float | None, bar: Progress) -> None:
        self._what, self._total, self._console, self._bar = what, total, bar.console, bar
        self._task = bar.add_task(what, total=total, left="")
        self._done = self._found = 0.0
        self._is_begun = False
        self._began = self._told = elapsed()

    def advance(self, n: float = 1, line: str = "", left: float | None = None) -> None:
        """Count steps that have been done.

        Parameters
        ----------
        n : how many
        line : what to say of them; without one, a log gets a line now and then
        left : how many there are still to do, where the total was not known or has changed
        """
        self._done += n
        self._total = self._total if left is None else self._done + left
        self._show(line)

    def find(self, line: str = "", left: float | None = None) -> None:
        """Count a step that was done before: it tells nothing of how long the others take."""
        self._found += 1
        self.advance(1, line, left)

    def start(self, line: str) -> None:
        """Say what is done next; what was started before it is done by now."""
        self._done += self._is_begun
        self._is_begun = True
        left = self._move()
        self.say(line if self._console.is_terminal else f"{self._count(1)}: {line}{left}")

    def say(self, line: str) -> None:
        """Say a line that stands for itself."""
        self._told = elapsed()
        # As it is: rich would break it, and read brackets as colours.
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._console.file.flush()

    def _show(self, line: str) -> None:
        left = self._move()
        if line:
            self.say(line if self._console.is_terminal else f"{self._count()}: {line}{left}")
        elif not self._console.is_terminal and elapsed() - self._told >= _SECONDS:
            self.say(f"{self._what}: {self._count()}{left}")

    def _move(self) -> str:
        """Move the bar, and say how long the rest will take."""
        left = self.left
        self._bar.update(self._task, completed=self._done, total=self._total, left=left[2:])
        return left

    def _count(self, n_more: int = 0) -> str:
        total = "" if self._total is None else f" of {self._total:,.0f}"
        return f"{self._done + n_more:,.0f}{total}"

    def end(self) -> None:
        """Take the bar away, of steps that are part of others."""
        self._bar.remove_task(self._task)

    @property
    def left(self) -> str:
        """Say, behind a comma, how long the rest will take if it goes on like this."""
        made = self._done - self._found
        if self._total is None or made <= 0 or self._done >= self._total:
            return ""
        seconds = (elapsed() - self._began) / made * (self._total - self._done)
        return f", about {in_words(seconds)} left"


@contextmanager
def steps(what: str, total: float | None = None, console: Console | None = None) -> Iterator[Steps]:
    """Count the steps of a command while it goes on.

    On a terminal a bar stays below the lines that are said, with one below it for steps within a
    step; anywhere else there are lines alone, with how many are done, of how many, and how long
    the rest will take.

    Parameters
    ----------
    what : is counted, as ``windows``
    total : how many there will be; None while nobody knows
    console : where it is shown; by default standard output
    """
    if (above := _SHOWN.get()) is not None:
        inner = Steps(what, total, above)
        yield inner
        inner.end()
        return
    with _bars(console or Console()) as bar:
        token = _SHOWN.set(bar)
        try:
            yield Steps(what, total, bar)
        finally:
            _SHOWN.reset(token)


def _bars(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    # What others print meanwhile goes above the bars.
    return Progress(*columns, console=console, disable=not console.is_terminal)


def in_words(seconds: float) -> str:
    """Say how long that is, in the unit that a person would choose.

    Examples
    --------
    >>> in_words(7.4), in_words(150), in_words(9000)
    ('7 s', '2 min', '2.5 hours')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
