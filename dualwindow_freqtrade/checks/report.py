"""What a check on a user's own candles finds."""

from dataclasses import dataclass, field


@dataclass
class Report:
    """Filled while a check goes on.

    Parameters
    ----------
    checked : how many values were compared; a check that compared nothing proves nothing
    problems : what is wrong, the first few in full
    notes : what could not be checked, and why
    """

    checked: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
