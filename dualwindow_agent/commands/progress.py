"""Tell how far several trainings of agents have come."""

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
    from dualwindow.reports.progress import steps

    names = list(totals)
    done, told = dict.fromkeys(names, 0), dict.fromkeys(names, -1)
    with steps("timesteps", sum(totals.values())) as shown:

        def report(index: int, progress: Progress) -> None:
            name = names[index]
            n_new, done[name] = progress.timesteps - done[name], progress.timesteps
            number = progress.timesteps // every
            is_over = progress.timesteps >= progress.total
            is_told = number != told[name] or is_over
            told[name] = number
            if is_told:
                shown.say(f"{_line(name, progress)}{shown.left}")
            shown.advance(n_new)

        yield report


def _line(name: str, progress: Progress) -> str:
    return (
        f"{name}: {progress.timesteps:,} of {progress.total:,} timesteps in "
        f"{progress.seconds:.0f} s; on validation {100 * progress.growth:+.3f} % a day and "
        f"pair, {progress.trades_per_day:.1f} trades"
    )
