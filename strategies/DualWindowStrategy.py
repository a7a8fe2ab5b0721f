"""Trade the class probabilities of DualWindowLSTM."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
from freqtrade.enums import TradingMode
from freqtrade.exceptions import OperationalException
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.persistence import Trade
from freqtrade.strategy import DecimalParameter, IStrategy, stoploss_from_absolute
from pandas import DataFrame

from dualwindow.candles import Candles
from dualwindow.features import FEATURES, HourlyLevels, candle_features, hourly_levels


class DualWindowStrategy(IStrategy):
    """Enter where LONG or SHORT is probable enough; leave at the barriers that label them.

    A trade ends at the take-profit, at the stop or after the horizon, whichever comes first:
    the same distances and the same number of candles that decide the labels.
    """

    INTERFACE_VERSION = 3
    timeframe = "1m"
    process_only_new_candles = True
    use_exit_signal = True
    use_custom_stoploss = True
    use_custom_roi = True
    minimal_roi = {}
    # bot_start puts the stop barrier here; where long and short differ, custom_stoploss does.
    stoploss = -0.1
    # Hourly candles of thirty days; candles of the timeframe itself need only one before.
    startup_candle_count = 720

    entry_long = DecimalParameter(0.34, 0.95, default=0.6, decimals=2, space="buy")
    entry_short = DecimalParameter(0.34, 0.95, default=0.6, decimals=2, space="buy")

    plot_config = {
        "main_plot": {},
        "subplots": {
            "probability": {
                "LONG": {"color": "green"},
                "HOLD": {"color": "grey"},
                "SHORT": {"color": "red"},
            },
            "do_predict": {"do_predict": {"color": "brown"}},
        },
    }

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.can_short = config.get("trading_mode", TradingMode.SPOT) != TradingMode.SPOT

    def bot_start(self, **kwargs: Any) -> None:
        """Take the barriers and the horizon from the model, and check what features need."""
        if not hasattr(self.freqai, "set_targets"):
            raise OperationalException(
                "DualWindowStrategy needs --freqaimodel DualWindowLSTM. "
                f"Received: {type(self.freqai).__name__}"
            )
        features = self.freqai_info["feature_parameters"]
        if "1h" not in features["include_timeframes"]:
            raise OperationalException(
                "freqai.feature_parameters.include_timeframes must contain '1h', from which the "
                f"daily and monthly averages come. Received: {features['include_timeframes']}"
            )
        for key in ("include_shifted_candles", "include_corr_pairlist"):
            if features.get(key):
                raise OperationalException(
                    f"freqai.feature_parameters.{key} adds nothing to DualWindowStrategy's "
                    f"features; remove it. Received: {features[key]}"
                )
        # Copied, because hyperopt's workers get the model without its state.
        self.barriers = self.freqai.settings.dual_window.labels.barriers
        self.horizon = timedelta(
            seconds=self.freqai.settings.windows.horizon * timeframe_to_seconds(self.timeframe)
        )
        stops = {self.barriers.long_stop_loss, self.barriers.short_stop_loss}
        if len(stops) == 1 and type(self).leverage is IStrategy.leverage:
            self.stoploss, self.use_custom_stoploss = -stops.pop(), False
        else:
            # freqtrade divides it by the leverage, and a stop can only be tightened afterwards.
            self.stoploss = -min(0.99, 10 * max(stops))

    # --- features and targets ------------------------------------------------------------------

    def feature_engineering_expand_basic(
        self, dataframe: DataFrame, metadata: dict[str, Any], **kwargs: Any
    ) -> DataFrame:
        """Compute the daily and monthly averages on hourly candles; FreqAI delays them."""
        if metadata["tf"] != "1h":
            return dataframe
        levels = hourly_levels(
            dataframe["close"].to_numpy(np.float64), dataframe["volume"].to_numpy(np.float64)
        )
        opened = dataframe["date"].to_numpy("datetime64[s]").astype(np.float64)
        return dataframe.assign(**levels._asdict(), hour=opened)

    def feature_engineering_standard(
        self, dataframe: DataFrame, metadata: dict[str, Any], **kwargs: Any
    ) -> DataFrame:
        """Compute the eight features."""
        candles = Candles.from_frame(dataframe, timeframe_to_seconds(self.timeframe))
        *averages, hour = (
            dataframe[f"{name}_gen_{metadata['pair']}_1h"].to_numpy(np.float64)
            for name in (*HourlyLevels._fields, "hour")
        )
        # FreqAI carries the last hour it has forward for ever; of a closed hour, two are enough.
        fresh = candles.date + candles.step - hour < 3 * 3600
        levels = HourlyLevels(*(np.where(fresh, a, np.nan) for a in averages))
        columns = candle_features(candles, levels).T
        return dataframe.assign(**{f"%-{n}": c for n, c in zip(FEATURES, columns, strict=True)})

    def set_freqai_targets(
        self, dataframe: DataFrame, metadata: dict[str, Any], **kwargs: Any
    ) -> DataFrame:
        """Let the model label the candles."""
        return self.freqai.set_targets(dataframe)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Train and predict."""
        return self.freqai.start(dataframe, metadata, self)

    # --- entries -------------------------------------------------------------------------------

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Enter on the more probable direction where it passes its threshold."""
        long, short = dataframe["LONG"], dataframe["SHORT"]
        # Skipped candles and expired models come back as zeros, which are no prediction.
        total = long + short + dataframe["HOLD"]
        predicted = (dataframe["do_predict"] == 1) & np.isclose(total, 1, atol=1e-3)
        is_long = predicted & (long >= self.entry_long.value) & (long > short)
        is_short = predicted & (short >= self.entry_short.value) & (short > long)
        dataframe.loc[is_long, ["enter_long", "enter_tag"]] = (1, "long")
        if self.can_short:
            dataframe.loc[is_short, ["enter_short", "enter_tag"]] = (1, "short")
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Nothing to do: the barriers and the horizon end every trade."""
        return dataframe

    # --- exits: the labels' own barriers and horizon -------------------------------------------

    def custom_roi(
        self, pair: str, trade: Trade, current_time: datetime, trade_duration: int, **kwargs: Any
    ) -> float:
        """Take profit where the price touches the barrier, before fees, as the labels do."""
        barriers = self.barriers
        move = -barriers.short_take_profit if trade.is_short else barriers.long_take_profit
        return trade.calc_profit_ratio(trade.open_rate * (1 + move))

    def custom_stoploss(
        self, pair: str, trade: Trade, current_time: datetime, current_rate: float, **kwargs: Any
    ) -> float:
        """Stop where the price touches the stop barrier."""
        barriers = self.barriers
        move = barriers.short_stop_loss if trade.is_short else -barriers.long_stop_loss
        distance = stoploss_from_absolute(
            trade.open_rate * (1 + move), current_rate, trade.is_short, trade.leverage
        )
        # 0 means the price is already beyond the stop, but freqtrade reads it as "no stop".
        return max(distance, 1e-6)

    def custom_exit(
        self, pair: str, trade: Trade, current_time: datetime, **kwargs: Any
    ) -> str | None:
        """Leave when the horizon has passed without a touch."""
        return "horizon" if current_time - trade.open_date_utc >= self.horizon else None
