"""Trade the class probabilities of DualWindowLSTM."""

import logging
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from freqtrade.enums import TRADE_MODES, RunMode, TradingMode
from freqtrade.exceptions import OperationalException
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.persistence import Trade
from freqtrade.strategy import (
    CategoricalParameter,
    DecimalParameter,
    IStrategy,
    stoploss_from_absolute,
)
from pandas import DataFrame

from dualwindow.judging.decisions import MODES, Rule, decide
from dualwindow.market.candles import Candles
from dualwindow.market.features import FEATURES, candle_features
from dualwindow.market.hours import HourlyLevels, fresh_levels, hourly_levels
from dualwindow.market.labels import CLASSES, HOLD, LONG, SHORT, UNKNOWN, Labelling
from dualwindow.settings import ConfidenceSettings
from dualwindow_freqtrade.freqai.actions import PLOTS, enter_as_wanted, leave_as_wanted
from dualwindow_freqtrade.freqai.candle_dates import tell_missing_candles
from dualwindow_freqtrade.freqai.names import ACTION
from dualwindow_freqtrade.freqai.plotting import add_thresholds, plot_config, with_skill
from dualwindow_freqtrade.freqai.whitelist import whitelist_of
from dualwindow_freqtrade.live.candles import refuse_short_frames
from dualwindow_freqtrade.live.rest_api import close_rest_api
from dualwindow_freqtrade.strategy.hyperopt_file import values_found
from dualwindow_freqtrade.strategy.quiet import leave_out_idle, leave_out_superseded
from dualwindow_freqtrade.strategy.rule_parameters import (
    Begun,
    begin_parameters,
    confidence_of,
    limit_margin,
    read_fees,
    rule_of,
)
from dualwindow_freqtrade.strategy.rule_report import Terms, log_rule, warn_of_liquidation

logger = logging.getLogger(__name__)


class DualWindowStrategy(IStrategy):
    """Enter where LONG or SHORT is probable enough; leave at the barriers that label them.

    A trade ends at the take-profit, at the stop or after the horizon, whichever comes first:
    the same distances and the same number of candles that decide the labels; smoothed labels have
    no take-profit. How sure it must be
    is `freqai.dual_window.confidence` in the configuration, until hyperopt finds better values.

    With --freqaimodel DualWindowAgent it holds what the agent wants to hold; the rule is not asked.
    """

    INTERFACE_VERSION = 3
    timeframe = "1m"
    process_only_new_candles = True
    use_exit_signal = True
    use_custom_stoploss = True
    use_custom_roi = True
    minimal_roi: dict[str, float] = {}
    # bot_start puts the stop barrier here; where one number cannot say it, custom_stoploss does.
    stoploss = -0.1
    # Parameters as they were before those that hyperopt has found; empty until bot_start.
    _begun: dict[str, Begun] = {}
    # Hourly candles of thirty days; candles of the timeframe itself need only one before.
    startup_candle_count = 720

    # bot_start puts the configured values here. Only what the mode reads is searched for; the
    # mode itself never is, but it is kept with the values that were found for it.
    mode = CategoricalParameter(
        ["expected_value", "custom", *MODES], default="expected_value", space="buy", optimize=False
    )
    margin = DecimalParameter(-0.005, 0.005, default=0.0, decimals=5, space="buy")
    entry_short = DecimalParameter(0.05, 0.95, default=0.55, decimals=3, space="buy")
    entry_hold = DecimalParameter(0.05, 0.95, default=0.45, decimals=3, space="buy")
    entry_long = DecimalParameter(0.05, 0.95, default=0.55, decimals=3, space="buy")
    exit_on_opposite = CategoricalParameter([True, False], default=False, space="sell")
    exit_at_horizon = CategoricalParameter([True, False], default=True, space="sell")

    plot_config: dict[str, Any] = {}  # as long as a strategy that inherits has none of its own

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        leave_out_idle(config)
        leave_out_superseded(config)
        self.can_short = config.get("trading_mode", TradingMode.SPOT) != TradingMode.SPOT
        if not self.plot_config:  # here, because a web server starts no strategy to show its plots
            own = config.get("freqai", {}).get("dual_window")
            is_agent = isinstance(own, dict) and "agent" in own  # the model refuses what is none
            self.plot_config = plot_config(can_short=self.can_short, is_agent=is_agent)
        close_rest_api(config)
        tell_missing_candles(config)  # freqtrade looks for them next

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        """Notice pairs that are no longer analysed."""
        if self.config["runmode"] in TRADE_MODES:
            self.freqai.watch_whitelist(current_time.timestamp(), self.dp)

    def bot_start(self, **kwargs: Any) -> None:
        """Take the barriers and the horizon from the model, and check what features need."""
        if not hasattr(self.freqai, "set_targets"):
            raise OperationalException(
                "DualWindowStrategy needs --freqaimodel DualWindowLSTM. "
                f"Received: {type(self.freqai).__name__}"
            )
        self._check_feature_keys()
        self.follows_agent = ACTION in self.freqai.columns_beside
        self.ends = self.freqai.ends
        if self.config["runmode"] in TRADE_MODES:
            refuse_short_frames(self, self.freqai.settings.history)
        # Copied, because hyperopt's workers get the model without its state.
        self.confidence = self.freqai.configuration.confidence
        self.labelling = Labelling.of(self.freqai.settings)
        self.barriers = self.labelling.barriers
        self.horizon = timedelta(
            seconds=self.freqai.settings.horizon * timeframe_to_seconds(self.timeframe)
        )
        self._take_stops()
        self.use_custom_roi = self.barriers.has_take_profits and self.ends.barriers
        if not self.config.get("ignore_buying_expired_candle_after"):
            # freqtrade keeps the last signals while no new candles come.
            guards = self.freqai.configuration.guards
            seconds = guards.max_candle_age * timeframe_to_seconds(self.timeframe)
            self.ignore_buying_expired_candle_after = seconds
        if self.follows_agent:
            self._take_agent()
        else:
            self._take_confidence()

    def _take_agent(self) -> None:
        """Get ready to follow an agent, to which the rule and its parameters mean nothing."""
        if self.config["runmode"] == RunMode.HYPEROPT:
            raise OperationalException(
                "hyperopt searches values of the confidence rule, which an agent does not ask; run "
                "it with --freqaimodel DualWindowLSTM and without freqai.dual_window.agent (-c "
                "config/agent.json has both)"
            )
        subplots = self.plot_config.get("subplots", {})
        self.plot_config = {**self.plot_config, "subplots": {**subplots, **PLOTS}}
        n_pairs = len(whitelist_of(self))
        if 0 <= self.config.get("max_open_trades", n_pairs) < n_pairs:
            logger.warning(
                "max_open_trades is lower than %d, the number of pairs: the agent will want "
                "positions that freqtrade does not open",
                n_pairs,
            )
        logger.info(
            "An agent decides what to hold; the confidence rule and its parameters are not asked. "
            "Beside it, positions end %s",
            self.ends,
        )

    def _take_stops(self) -> None:
        """Let freqtrade begin with a stop that is not nearer than the barrier.

        freqtrade divides it by the leverage, which is not known before the trade, and its reserve
        in the smallest stake grows with it. What is left to do, `custom_stoploss` does.
        """
        if not self.ends.barriers:
            self.stoploss, self.use_custom_stoploss = -0.99, False
            return
        stops = {self.barriers.long_stop_loss, self.barriers.short_stop_loss}
        is_own = type(self).leverage is not IStrategy.leverage
        # The API of a bot that can be forced to enter takes any leverage.
        is_leveraged = self.can_short and (is_own or self.config.get("force_entry_enable", False))
        self.stoploss = -0.99 if is_leveraged else -max(stops)
        self.use_custom_stoploss = is_leveraged or len(stops) > 1

    def _check_feature_keys(self) -> None:
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

    def _take_confidence(self) -> None:
        """Let parameters begin with the configured values, and check those hyperopt has found."""
        self.fees = read_fees(self.config, self.confidence.mode)
        self._begun = begin_parameters(self, self.confidence)
        rule_of(self, self.barriers, self.fees)
        limit_margin(self.margin, self.barriers, self.fees)
        self._found = values_found(self, self.confidence.mode)
        rule_of(self, self.barriers, self.fees, self._found)

    def ft_load_hyper_params(self, hyperopt: bool = False) -> None:  # noqa: FBT001, FBT002
        """Load what hyperopt has found, as freqtrade does after `bot_start`; then log the rule."""
        super().ft_load_hyper_params(hyperopt)
        if self._begun:  # not where freqtrade's web server only shows parameters
            terms = Terms(self.confidence, self.barriers, self.horizon, self.fees)
            log_rule(self, self._begun, self._found, self._rule(), terms)

    def _rule(self) -> Rule:
        return rule_of(self, self.barriers, self.fees)

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
        # FreqAI carries the last hour it has forward for ever, also over one that has not come.
        levels = fresh_levels(candles, hour, HourlyLevels(*averages))
        columns = candle_features(candles, levels).T
        return dataframe.assign(**{f"%-{n}": c for n, c in zip(FEATURES, columns, strict=True)})

    def set_freqai_targets(
        self, dataframe: DataFrame, metadata: dict[str, Any], **kwargs: Any
    ) -> DataFrame:
        """Let the model label the candles."""
        return self.freqai.set_targets(dataframe)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Train and predict."""
        predicted = self.freqai.start(dataframe, metadata, self)
        return with_skill(predicted, metadata["pair"], self.freqai)

    def confidence_in_effect(self) -> ConfidenceSettings:
        """Tell the model by which rule its predictions are to be judged."""
        return confidence_of(self, self.confidence.fallback)

    def _probabilities(self, dataframe: DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return (n, 3) probabilities and where they are any.

        Skipped candles and expired models come back as zeros, which are none.
        """
        probabilities = dataframe[list(CLASSES)].to_numpy(np.float64)
        return probabilities, np.isclose(probabilities.sum(axis=1), 1, atol=1e-3)

    def _decide(self, dataframe: DataFrame) -> np.ndarray:
        """Decide SHORT, HOLD or LONG by confidence; UNKNOWN where nothing was predicted.

        Where `do_predict` is not 1 although there are probabilities, all candles have the same:
        nothing to enter on, whatever the rule.
        """
        probabilities, known = self._probabilities(dataframe)
        decided = decide(probabilities, self._rule(), self.confidence.fallback)
        decided = np.where(dataframe["do_predict"] == 1, decided, HOLD)
        return np.where(known, decided, UNKNOWN)

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Enter where a direction passes the confidence rule; the tag says why."""
        if self.follows_agent:
            enter_as_wanted(dataframe, can_short=self.can_short)
            return dataframe
        if self.dp.runmode != RunMode.HYPEROPT:  # which shows nothing, thousands of times
            add_thresholds(dataframe, self._rule(), can_short=self.can_short)
        decided = self._decide(dataframe)
        sides = [("long", LONG), ("short", SHORT)] if self.can_short else [("long", LONG)]
        for side, code in sides:
            rows = np.flatnonzero(decided == code)
            band = np.floor(dataframe[CLASSES[code]].to_numpy()[rows] * 20 + 1e-9) / 20
            band = np.minimum(band, 0.95)
            tags = [f"{self.mode.value} {side} {low:.2f}-{low + 0.05:.2f}" for low in band]
            dataframe.loc[dataframe.index[rows], f"enter_{side}"] = 1
            dataframe.loc[dataframe.index[rows], "enter_tag"] = np.array(tags, dtype=object)
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, Any]) -> DataFrame:
        """Leave on the opposite signal, if that is chosen."""
        if self.follows_agent:
            leave_as_wanted(dataframe)
        elif self.exit_on_opposite.value:
            decided = self._decide(dataframe)
            for side, opposite in (("long", SHORT), ("short", LONG)):
                dataframe.loc[decided == opposite, [f"exit_{side}", "exit_tag"]] = (1, "opposite")
        return dataframe

    def custom_roi(
        self, pair: str, trade: Trade, current_time: datetime, trade_duration: int, **kwargs: Any
    ) -> float:
        """Take profit where the price touches the barrier, before fees, as the labels do."""
        exits = self.labelling.prices(trade.open_rate)
        return trade.calc_profit_ratio(exits.short_take if trade.is_short else exits.long_take)

    def custom_stoploss(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        after_fill: bool,  # noqa: FBT001 - its name makes freqtrade call this after the fill
        **kwargs: Any,
    ) -> float | None:
        """Stop where the price touches the stop barrier; None where it is set already.

        Right after the fill, and only then, a stop may also be loosened. Set again with every
        candle, rounding would sooner or later move it by a tick.
        """
        exits = self.labelling.prices(trade.open_rate)
        stop = float(exits.short_stop if trade.is_short else exits.long_stop)
        is_set = trade.stop_loss <= stop if trade.is_short else trade.stop_loss >= stop
        if is_set and not after_fill:
            return None
        if after_fill and self.config["runmode"] in TRADE_MODES:
            warn_of_liquidation(trade, stop)
        distance = stoploss_from_absolute(stop, current_rate, trade.is_short, trade.leverage)
        # 0 means the price is already beyond the stop, but freqtrade reads it as "no stop".
        return max(distance, 1e-6)

    def custom_exit(
        self, pair: str, trade: Trade, current_time: datetime, **kwargs: Any
    ) -> str | None:
        """Leave when the horizon has passed without a touch, unless hyperopt chose otherwise."""
        over = current_time - trade.open_date_utc >= self.horizon
        ends = self.ends.horizon and (self.follows_agent or self.exit_at_horizon.value)
        return "horizon" if over and ends else None
