"""Write down what DualWindowStrategy sees and does, line by line, so that kill -9 loses nothing."""

import json
import os
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from DualWindowStrategy import DualWindowStrategy
from pandas import DataFrame

from dualwindow.market.labels import CLASSES


def _write(what: str, **facts: Any) -> None:
    line = json.dumps({"what": what, "at": time.time(), **facts}) + "\n"
    with Path(os.environ["DUALWINDOW_SOAK_WITNESS"]).open("a") as file:
        file.write(line)


class SoakStrategy(DualWindowStrategy):
    """Decides as DualWindowStrategy does."""

    def bot_start(self, **kwargs: Any) -> None:
        """Begin a life: of a process, or of the bot that a reload has made."""
        super().bot_start(**kwargs)
        _write("start", pid=os.getpid())

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        """Tell that the round before is over, and which pairs are on the whitelist."""
        super().bot_loop_start(current_time, **kwargs)
        _write("loop", pairs=self.dp.current_whitelist())

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Tell what is known of the newest candle, and whether it would be entered on."""
        dataframe = super().populate_entry_trend(dataframe, metadata)
        newest = dataframe.iloc[-1]
        _write(
            "row",
            pair=metadata["pair"],
            candle=int(newest["date"].timestamp()),
            do_predict=int(newest["do_predict"]),
            probabilities=[float(newest[name]) for name in CLASSES],
            enters=bool((newest.reindex(["enter_long", "enter_short"]) == 1).any()),
        )
        return dataframe

    def confirm_trade_entry(self, pair: str, *arguments: Any, **kwargs: Any) -> bool:
        """Tell that a trade is about to be opened."""
        _write("entry", pair=pair)
        return super().confirm_trade_entry(pair, *arguments, **kwargs)
