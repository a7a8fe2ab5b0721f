"""The words of a report's page that are the same in every report."""

TITLES = {
    "warnings": "Warnings",
    "skill": "Skill",
    "decisions": "Decisions",
    "reliability": "Reliability",
    "day": "One day",
    "funnel": "From candles to trades",
    "learning": "Learning",
    "importance": "What it listens to",
    "trials": "Several were tried",
    "agents": "Agents",
    "live": "Live",
    "subject": "What was looked at",
    "glossary": "Words",
}

# Where a title is too long to stand beside the others.
SHORT_TITLES = {
    "funnel": "Funnel",
    "importance": "Importance",
    "trials": "Trials",
    "subject": "Facts",
}

INTRODUCTIONS = {
    "skill": "Skill is the share that is saved of the log loss of quoting how often each class "
    "occurred in training. 0 is worth nothing, below 0 is worse than that; on candles of a minute "
    "a few hundredths are much.",
    "decisions": "What entering would have met, out of sample, and how decisions compare with "
    "what became true. Value is after fees.",
    "reliability": "When it says 20 %, does it happen in 20 of 100 cases? Points on the dashed "
    "line say yes; whiskers are the 95 % band of each point.",
    "trials": "The more one tries, the better the best looks by chance alone.",
}

# Why a section that one would look for has nothing to show, and what would change that.
EMPTY: dict[str, str] = {
    "skill": "No window has a candle that was predicted and whose label is known yet: predict "
    "more, or wait until the horizon has passed.",
    "decisions": "Nothing was decided on: there are no predictions with a known label.",
    "reliability": "There are too few predictions with a known label to hold against each other.",
    "day": "There is no day to show: the candles of the predictions were not there.",
    "funnel": "It is not known what became of the candles.",
    "learning": "No training is known, and no label that came true.",
    "importance": "Not measured here: `dualwindow report --importance` does. It takes the saved "
    "models and the candles that they were validated on, and some minutes.",
}

GLOSSARY = {
    "SHORT, HOLD, LONG": "The classes: the take-profit of a short or of a long entry is reached "
    "within the horizon and before its stop, or neither is.",
    "window": "A stretch of candles that was predicted by one model, which had seen nothing later "
    "than the beginning of the window.",
    "out of sample": "Predicted by a model that has not learnt from these candles. Everything here "
    "is, unless it says validation.",
    "validation": "The last part of a model's own training days: it chose the epoch and calibrated "
    "the probabilities, so it looks better than what follows.",
    "log loss": "What a probability costs: minus the logarithm of what was given to the class that "
    "came true, on average. Being sure and wrong costs most.",
    "skill": "1 minus log loss over that of the class frequencies of training.",
    "touch, direction": "The two questions of which skill is made: is a barrier touched at all "
    "(volatility), and which one (that is where the money is).",
    "three numbers": "A logistic regression on the mean range of candles over a twelfth, a third "
    "and the whole of the history (kind ranges); of smoothed labels also on how far the close is "
    "from its mean there (kind trend). It learns in a second from the pair's last 30 days, or from "
    "the training period if that is shorter, never balanced. What is not better than that has "
    "learnt nothing else.",
    "base rate, lift": "Share of a class among all candles; how many times more often it came true "
    "where it was signalled.",
    "hit rate, needed": "Share of the signals that came true, and what would be needed if every "
    "miss were a full stop, for take-profits to pay for stops and fees. Most entries end at the "
    "close of the horizon instead, so a signal may pay below it, or cost above it: see its value.",
    "independent": "Signals that begin when the one before has ended. The others see almost the "
    "same future and prove little more.",
    "value ± standard error": "Mean outcome of independent signals after fees, and its standard "
    "error if only whole days are independent of each other, because pairs move together. That is "
    "no 95 % range, which reaches twice as far to either side of many days, 2.8 times of five; by "
    "that range it is said whether signals pay.",
    "95 % range": "Where the true mean lies in 95 of 100 cases, by Student's t: of few windows of "
    "time it is wide. What is called foreseen or better has 0 below all of it.",
    "AUC": "How often a candle of the class gets a higher probability than another: 0.5 is a coin.",
    "probability of overfitting": "How probable it is that the best of several is below the middle "
    "on other days.",
    "deflated Sharpe ratio": "Probability that the true Sharpe ratio of the one reported here is "
    "above 0, as if it had been chosen because it looked best of all that were tried.",
    "parity": "Whether the bot predicted live what a backtest predicts on the same candles.",
}

MARKS = {"good": ("✓", "Good"), "bad": ("✕", "Bad"), "neutral": ("•", "Note")}
SOURCES = {"backtest": "Backtest", "walk-forward": "Walk-forward", "live": "Live run"}
