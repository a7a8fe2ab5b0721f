"""An agent that acts on DualWindowLSTM's predictions, as a model of FreqAI."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from DualWindowLSTM import DualWindowLSTM
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from pandas import DataFrame

from dualwindow.arrays import IntArray
from dualwindow.learning.artifact import Artifact, Prediction
from dualwindow.market.candles import Candles
from dualwindow.market.labels import Labelling
from dualwindow.outside import elapsed
from dualwindow.samples.data import TrainingData
from dualwindow_agent.freqai.acting import Account, Acted, act
from dualwindow_agent.freqai.artifact import AgentArtifact
from dualwindow_agent.freqai.backtest import BacktestAccounts
from dualwindow_agent.freqai.configuration import divided, read_agent
from dualwindow_agent.freqai.fingerprint import shaping_beside
from dualwindow_agent.freqai.frames import let_stay, predicted_tape, shown_tape, with_acted
from dualwindow_agent.freqai.learning import newest_days, out_of_sample_tapes, train_agent
from dualwindow_agent.freqai.live import Follower, held_by_bot, whole_end
from dualwindow_agent.freqai.parity import other_actions
from dualwindow_agent.market.accounts import Terms
from dualwindow_freqtrade.backtest.cache import CachedWindow
from dualwindow_freqtrade.freqai.actions import Ends
from dualwindow_freqtrade.freqai.configuration import (
    Configuration,
    ConfigurationError,
    in_users_words,
    read_configuration,
)
from dualwindow_freqtrade.freqai.fingerprint import Beside
from dualwindow_freqtrade.freqai.names import ACTING, ACTION
from dualwindow_freqtrade.freqai.placement import broken_blocks, misplaced_blocks


class DualWindowAgent(DualWindowLSTM):
    """Decide what to hold, by predictions and by what is held.

    It returns the columns of DualWindowLSTM, and beside them ``action``, the position that it wants
    from the next open on (1 long, -1 short, 0 flat), and ``position``, the one that it held when
    it decided. In a backtest that is where its earlier actions have led; live, the bot's open
    trade. `DualWindowStrategy` does the rest.
    """

    columns_beside = ACTING

    def read(self, config: dict[str, Any]) -> Configuration:
        """Read the agent's block, and the rest as the classifier does."""
        if broken := broken_blocks(config.get("freqai", {})):
            raise ConfigurationError(broken)
        freqai, block = divided(config.get("freqai", {}))
        agent, problems = read_agent(config, block)
        try:
            configuration = read_configuration(freqai, misplaced_blocks(config))
        except ConfigurationError as error:
            raise ConfigurationError([*error.problems, *problems]) from None
        if agent is None:
            raise ConfigurationError(problems)
        self.agent = agent
        market = agent.agent.market
        self.ends = Ends(barriers=market.barriers, horizon=market.horizon)
        labelling = Labelling.of(configuration.settings)
        terms = Terms(market, labelling.barriers, labelling.horizon)
        self._backtest_accounts = BacktestAccounts(terms)
        self._frames: dict[str, Candles] = {}
        self._follower = Follower(lambda pair, **facts: self._status.tell(pair, **facts))
        return configuration

    def shaping_beside(self) -> Beside:
        """Name the agent's settings, code and libraries."""
        return shaping_beside(self.agent)

    def learn(
        self, group: Sequence[TrainingData], dk: FreqaiDataKitchen, previous: Artifact | None
    ) -> dict[str, Artifact]:
        """Train classifiers in turn, the agent on what they predict, and the one that stays.

        Nothing later than the end of the data is seen, and the agent sees no prediction of a
        classifier that has seen the candle.
        """
        began, learn = elapsed(), partial(super().learn, dk=dk, previous=None)
        with in_users_words():
            tapes = out_of_sample_tapes(group, self.settings, self.agent, learn)
            interrupt = self._live_loop.stop_if_asked
            logs = dk.data_path / "tensorboard" / "agent" if self.activate_tensorboard else None
            policy = train_agent(tapes, self.settings, self.agent, interrupt, logs)
        models = learn(newest_days(group, self.settings, self.agent.classifier_days))
        seconds = elapsed() - began
        return {pair: AgentArtifact.of(model, policy, seconds) for pair, model in models.items()}

    def begin_windows(
        self, pair: str, candles: Candles, windows: Sequence[CachedWindow], reused: Sequence[bool]
    ) -> None:
        """Open an account, and delete cached actions that do not follow from it."""
        self._backtest_accounts.begin(pair, candles, windows, reused)

    def predict(
        self, unfiltered_df: DataFrame, dk: FreqaiDataKitchen, **kwargs: Any
    ) -> tuple[DataFrame, IntArray]:
        """Predict as the classifier does, and act on it."""
        predicted, do_predict = super().predict(unfiltered_df, dk, **kwargs)
        if self.live:
            acted = self._act_live(dk.pair, predicted, do_predict)
        else:
            dated = predicted.assign(date=unfiltered_df["date"].to_numpy())
            acted = self._backtest_accounts.act(dk.pair, self.model, dated, do_predict, dk.full_df)
        return with_acted(predicted, acted), do_predict

    def _act_live(self, pair: str, predicted: DataFrame, do_predict: IntArray) -> Acted:
        """Decide on the newest candle, by what the bot really holds."""
        candles, policy = self._frames[pair], self.model.policy
        real, newest = held_by_bot(pair, candles), len(candles) - 1
        stored = self.dd.historic_predictions[pair]
        self._follower.compare(pair, candles, policy.terms, stored, real)
        tape = shown_tape(pair, candles, predicted.tail(1), do_predict[-1:])
        account, is_sound = Account(candles, policy.terms, newest, real), self._live_watch.is_sound
        return act(policy, tape, account, may_move=is_sound(pair))  # what is in doubt moves nothing

    def withdraw_newest(self, dk: FreqaiDataKitchen) -> None:
        """Withdraw the stored action, too, on which accounts would go on: nothing is moved."""
        super().withdraw_newest(dk)
        stored = self.dd.historic_predictions.get(dk.pair)
        if stored is not None and len(stored):
            let_stay(stored)

    def forget_pair(self, pair: str) -> None:
        """Forget its position by its actions, and its candles, too."""
        super().forget_pair(pair)
        self._follower.forget(pair)
        self._frames.pop(pair, None)

    def build_strategy_return_arrays(
        self, dataframe: DataFrame, dk: FreqaiDataKitchen, pair: str, trained_timestamp: int
    ) -> None:
        """Keep the whole frame at hand: FreqAI shows `predict` the last `conv_width` candles."""
        self._frames[pair] = whole_end(self._candles(dataframe))
        super().build_strategy_return_arrays(dataframe, dk, pair, trained_timestamp)

    def acted_columns(
        self, model: Artifact, candles: Candles, prediction: Prediction
    ) -> dict[str, IntArray]:
        """Act on n candles with an account that opens flat."""
        assert isinstance(model, AgentArtifact)
        pair, is_constant = model.record.pair, model.record.is_constant
        tape = predicted_tape(pair, candles, prediction, is_constant=is_constant)
        account = Account(tape.candles, model.policy.terms, tape.first)
        acted = act(model.policy, tape, account, may_move=not is_constant)
        return {ACTION: np.concatenate([np.zeros(tape.first, dtype=np.int64), acted.wanted])}

    def other_actions(
        self, model: Artifact, candles: Candles, prediction: Prediction, live: DataFrame
    ) -> list[str]:
        """Decide again on stored candles, with what was held then, and say what differs."""
        assert isinstance(model, AgentArtifact)
        return other_actions(model, candles, prediction, live)
