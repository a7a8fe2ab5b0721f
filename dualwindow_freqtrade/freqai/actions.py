"""Trade by what a model that acts on its own predictions wants to hold."""

from typing import NamedTuple

from pandas import DataFrame

from dualwindow_freqtrade.freqai.names import ACTION, DO_PREDICT, POSITION

# Subplots of a strategy that follows actions.
PLOTS = {"position": {ACTION: {"color": "orange"}, POSITION: {"color": "blue"}}}


class Ends(NamedTuple):
    """What ends a position beside signals."""

    barriers: bool
    horizon: bool

    def __str__(self) -> str:
        named = {"at the barriers": self.barriers, "after the horizon": self.horizon}
        return " and ".join(words for words, holds in named.items() if holds) or "nowhere"


def enter_as_wanted(dataframe: DataFrame, *, can_short: bool) -> None:
    """Enter where nothing is held and a side is wanted, on candles that are predicted.

    Parameters
    ----------
    dataframe : gets freqtrade's columns of entries
    can_short : whether there are shorts
    """
    for name, side in (("long", 1), ("short", -1)):
        if side > 0 or can_short:
            wanted = (dataframe[ACTION] == side) & (dataframe[POSITION] == 0)
            entered = wanted & (dataframe[DO_PREDICT] == 1)
            dataframe.loc[entered, [f"enter_{name}", "enter_tag"]] = (1, f"agent {name}")


def leave_as_wanted(dataframe: DataFrame) -> None:
    """Leave where something is held and not wanted; where nothing was decided, all is 0."""
    for name, side in (("long", 1), ("short", -1)):
        left = (dataframe[POSITION] == side) & (dataframe[ACTION] != side)
        dataframe.loc[left, [f"exit_{name}", "exit_tag"]] = (1, "agent")
