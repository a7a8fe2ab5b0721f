"""What shapes an agent: the market it acts in, what it sees, what it is paid for, how it learns."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dualwindow.settings import Frozen

Observation = Literal["default", "published"]
Actions = Literal["positions", "published"]
Algorithm = Literal["maskable_ppo", "ppo"]


class MarketSettings(Frozen):
    """What acting costs, and what ends a position beside the agent."""

    actions: Actions = Field(
        "positions",
        description="positions: be flat, long or short; published: buy or sell in parts, close, "
        "reverse",
    )
    fee: float = Field(0.0005, ge=0, lt=0.5, description="of each side, share of what is traded")
    slippage: float = Field(0.0, ge=0, lt=0.1, description="share of the price, against the agent")
    leverage: float = Field(1.0, ge=1, le=20, description="what is held, in units of the account")
    maintenance: float = Field(
        0.005, gt=0, lt=0.05, description="share of what is held at which it is liquidated"
    )
    shorts: bool = Field(default=True, description="whether it may be short; never on spot markets")
    barriers: bool = Field(
        default=True, description="end positions at the take-profit and the stop of the labels"
    )
    horizon: bool = Field(default=True, description="end positions after the horizon of the labels")


class RewardSettings(Frozen):
    """What the agent is paid, candle by candle, all in changes of the log of its account.

    Growth after costs is what it is judged by, too. The other terms are those of a published
    agent, each multiplied by its weight; 0 leaves it out.
    """

    growth: float = Field(1.0, ge=0, description="change of the log of the account, after costs")
    realised: float = Field(0.0, ge=0, description="log profit of what was closed, before costs")
    cost: float = Field(0.0, ge=0, description="log of what costs leave of the account")
    drawdown: float = Field(
        0.0, ge=0, description="of the log below the account's peak; what exceeds 0.1 counts twice"
    )
    sharpe: float = Field(
        0.0, ge=0, description="mean of the last 10 changes over their deviation, -0.5 to 1"
    )
    holding: float = Field(0.0, ge=0, description="of each candle with a position")
    invalid: float = Field(0.0, ge=0, description="of an action that cannot be taken")
    limit: float = Field(
        0.0, ge=0, description="most that all of it together is, either way; 0 leaves it as it is"
    )

    @model_validator(mode="after")
    def _pays_anything(self) -> "RewardSettings":
        if self.growth == 0 and self.realised == 0:
            raise ValueError("growth or realised must be above 0: nothing else is worth anything")
        return self


Units = Annotated[int, Field(ge=1)]


class LearningSettings(Frozen):
    """How the agent learns, by proximal policy optimisation (Schulman et al., 1707.06347)."""

    algorithm: Algorithm = Field(
        "maskable_ppo", description="maskable_ppo never takes what cannot be taken"
    )
    seed: int = Field(42, ge=0, lt=2**31, description="same seed, same agent")
    timesteps: int = Field(
        1_000_000, ge=1, description="candles acted on, in all accounts together"
    )
    accounts: int = Field(128, ge=1, le=4096, description="that trade side by side")
    episode: int = Field(1440, ge=2, description="candles of one account, from a random one on")
    steps: int = Field(128, ge=2, description="of each account between two updates")
    batch_size: int = Field(2048, ge=2, description="candles per gradient step")
    epochs: int = Field(5, ge=1, description="passes over what was seen since the last update")
    learning_rate: float = Field(0.001, gt=0, lt=1, description="Adam's step size")
    gamma: float = Field(0.99, gt=0, le=1, description="worth of the next candle's reward")
    gae_lambda: float = Field(0.95, ge=0, le=1, description="of the advantage's estimate")
    clip_range: float = Field(0.2, gt=0, le=1, description="how far a policy may move at once")
    entropy: float = Field(0.0, ge=0, description="weight of the policy's entropy")
    policy_units: tuple[Units, ...] = Field((64, 64), description="layers of the policy")
    value_units: tuple[Units, ...] = Field((64, 64), description="layers of the value")
    validation: float = Field(
        0.2, gt=0, lt=0.9, description="latest share of what is learnt from, to choose the best on"
    )
    evaluate_every: int = Field(50_000, ge=1, description="timesteps between two validations")
    checkpoint_every: int = Field(100_000, ge=1, description="timesteps between two checkpoints")

    @model_validator(mode="after")
    def _batches_fit(self) -> "LearningSettings":
        if (self.steps * self.accounts) % self.batch_size:
            raise ValueError(
                f"batch_size must divide steps * accounts, {self.steps * self.accounts}. "
                f"Received: {self.batch_size}"
            )
        return self


class AgentSettings(Frozen):
    """All of it."""

    observation: Observation = Field("default", description="which numbers it sees")
    market: MarketSettings = MarketSettings()
    reward: RewardSettings = RewardSettings()
    learning: LearningSettings = LearningSettings()


PUBLISHED = AgentSettings(
    observation="published",
    market=MarketSettings(actions="published", barriers=False, horizon=False),
    reward=RewardSettings(
        growth=0.0, realised=1.0, cost=1.0, drawdown=0.1, sharpe=0.005, invalid=0.01, limit=0.1
    ),
    learning=LearningSettings(
        algorithm="ppo",
        timesteps=150_000,
        accounts=16,
        steps=1024,
        batch_size=2048,
        epochs=20,
        learning_rate=0.0003,
        entropy=0.01,
        policy_units=(1280, 640),
        value_units=(1280, 640),
        evaluate_every=5_000,
        checkpoint_every=25_000,
    ),
)
