"""Tell how far several trainings have come: lines, and a bar where there is a terminal."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from dualwindow_agent.learning.task import Progress


@contextmanager
def training_progress(
    totals: Mapping[str, int], every: int
) -> Iterator[Callable[[int, Progress], None]]:
    """Give a function that takes the place of a training in `totals`, and how far it has come.

    Parameters
    ----------
    totals : timesteps of each training, by its name
    every : timesteps between two validations, each of which gets a line
    """
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console, names = Console(), list(totals)
    done, told = dict.fromkeys(names, 0), dict.fromkeys(names, -1)
    columns = ("timesteps", BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=sum(totals.values()))

        def report(index: int, progress: Progress) -> None:
            name = names[index]
            done[name] = progress.timesteps
            bar.update(task, completed=sum(done.values()))
            is_over = progress.timesteps >= progress.total
            number = progress.timesteps // every
            if number == told[name] and not is_over:
                return
            told[name] = number
            line = (
                f"{name}: {progress.timesteps:,} of {progress.total:,} timesteps in "
                f"{progress.seconds:.0f} s; on validation {100 * progress.growth:+.3f} % a day and "
                f"pair, {progress.trades_per_day:.1f} trades"
            )
            if console.is_terminal:
                bar.console.print(line, highlight=False)
            else:
                print(line, flush=True)

        yield report
