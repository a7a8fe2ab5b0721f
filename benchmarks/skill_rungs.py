"""The ladder of baselines: what a network has to be better than, each with a kind of the core."""

from typing import NamedTuple

from dualwindow.settings import (
    BalancingSettings,
    ClassifierSettings,
    PublishedSettings,
    RangesSettings,
    Settings,
    TreesSettings,
)

THREE_NUMBERS = "three numbers"
DAYS = (30, 60, 90, 120)
SPANS = (15, 60, 180)


class Rung(NamedTuple):
    """One who predicts.

    Parameters
    ----------
    name : for tables
    settings : of the model
    train_days : length of every training period
    """

    name: str
    settings: Settings
    train_days: float


def rungs(ours: Settings, *, published: bool = False) -> list[Rung]:
    """List the baselines, with the labels, windows and strides of our own model.

    Three numbers in a logistic regression and small boosted trees, each on one to four months, of
    the own pair and of all pairs together; and, as it takes hours, on demand a published network,
    on a month of the own pair with balanced classes, as its users train it.
    """
    shared = {"stride": ours.model.stride, "seed": ours.model.seed, "spans": SPANS}
    kinds: dict[str, ClassifierSettings] = {
        THREE_NUMBERS: RangesSettings(**shared),
        "trees": TreesSettings(**shared),
    }
    found = []
    for name, model in kinds.items():
        for pooling, whose in (("pair", "own pair"), ("whitelist", "together")):
            for days in DAYS:
                settings = with_model(ours, model, pooling)
                found.append(Rung(f"{name}, {days} days, {whose}", settings, days))
    if published:
        model = PublishedSettings(stride=ours.model.stride, seed=ours.model.seed)
        settings = with_model(ours, model, "pair")
        balanced = settings.model_copy(
            update={"balancing": BalancingSettings(method="undersample")}
        )
        found.append(Rung(f"published, {DAYS[0]} days, own pair", balanced, DAYS[0]))
    return found


def with_model(ours: Settings, model: ClassifierSettings, pooling: str) -> Settings:
    """Put a baseline in the place of our own model."""
    changes = {"model": model, "pooling": pooling}
    return Settings.model_validate(dict(ours) | changes)


def with_seed(ours: Settings, seed: int) -> Settings:
    """Give our own model another seed, which it hands down to its members."""
    model = type(ours.model).model_validate({**dict(ours.model), "seed": seed})
    return ours.model_copy(update={"model": model})
