"""Findings made by hand: rich and poor, hostile and large, for what lays them out."""

from typing import Any

import numpy as np

from dualwindow.judging.findings import (
    AgentRow,
    Agents,
    Bin,
    Day,
    Deal,
    Findings,
    Importance,
    Importances,
    LearningCurve,
    Live,
    LivePair,
    Measured,
    Parity,
    Rung,
    Sentence,
    Signals,
    Skill,
    Step,
    Subject,
    Trials,
    Way,
    Window,
)

DAY = 86400
START = 1704758400  # 2024-01-09
CLASSES = ("SHORT", "HOLD", "LONG")
NOTHING = Measured(mean=None, low=None, high=None)
BARRIERS = {
    "long_take_profit": 0.01,
    "long_stop_loss": 0.005,
    "short_take_profit": 0.01,
    "short_stop_loss": 0.005,
}


def subject(pairs: tuple[str, ...], days: int = 7, **more: Any) -> Subject:
    plain = {
        "source": "backtest",
        "name": "production-1",
        "made_at": float(START + 40 * DAY + 3723),
        "pairs": pairs,
        "step": 60,
        "first": START,
        "last": START + days * DAY,
        "kind": "ensemble of lstm and trees",
        "train_days": 30.0,
        "history": 180,
        "horizon": 120,
        "labels": "exclusive: take-profit 1 % and stop 0.5 % within 120 candles",
        "barriers": BARRIERS,
        "fees": 0.001,
        "confidence": "the best 1 % of what validation said",
        "break_even": {"SHORT": 0.4, "LONG": 0.4},
        "versions": {"keras": "3.15.1", "lightgbm": "4.6.0"},
    }
    return Subject.model_validate(plain | more)


def window(pair: str, start: int, days: float, rng: np.random.Generator, lift: float) -> Window:
    n = int(days * 1440)
    short, long = rng.integers(n // 12, n // 6, 2).tolist()
    skill = float(rng.normal(lift, 0.03))
    return Window(
        pair=pair,
        start=start,
        stop=start + int(days * DAY),
        block=(start - START) // int(days * DAY),
        judged=n - 120,
        unpredicted=7,
        log_loss=0.7 * (1 - skill),
        log_loss_of_frequencies=0.7,
        skill=skill,
        touch=skill * 1.4,
        direction=float(rng.normal(0.001, 0.004)),
        baseline_skill=float(0.6 * skill + rng.normal(0.01, 0.01)),
        auc_short=float(rng.uniform(0.6, 0.8)),
        auc_long=float(rng.uniform(0.6, 0.8)),
        labels={"SHORT": short, "HOLD": n - 120 - short - long, "LONG": long, "unknown": 120},
        taught={"SHORT": 4 * short, "HOLD": 4 * (n - short - long), "LONG": 4 * long},
        training_windows=41873,
        validation_loss=0.66,
        seconds=float(rng.uniform(20, 60)),
    )


def signals(threshold: float | None, side_rate: float, n: int) -> Signals:
    hit = None if n == 0 else min(0.95, side_rate + (threshold or 0.3) * 0.7)
    return Signals(
        threshold=threshold,
        signals=n,
        independent=n // 20,
        per_day=n / 21,
        hit_rate=hit,
        base_rate=side_rate,
        lift=None if hit is None else hit / side_rate,
        needed=0.4,
        value=None if hit is None else 0.015 * hit - 0.006,
        error=None if n < 40 else 0.012 / (n // 20) ** 0.5,
    )


def thresholds(side_rate: float) -> tuple[Signals, ...]:
    steps = np.linspace(0.1, 0.6, 11)
    return tuple(signals(float(t), side_rate, int(9000 * np.exp(-9 * t))) for t in steps)


def way(name: str, confusion: tuple[tuple[int, ...], ...]) -> Way:
    counts = np.array(confusion)
    hits, true, chosen = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)

    def share(of: np.ndarray) -> tuple[float | None, ...]:
        return tuple(float(h / n) if n else None for h, n in zip(hits, of, strict=True))

    return Way(
        name=name,
        candles=int(counts.sum()),
        accuracy=float(hits.sum() / counts.sum()),
        precision=share(chosen),
        recall=share(true),
        f1=share((true + chosen) / 2),
        confusion=confusion,
        short=signals(None, 0.11, int(chosen[0])),
        long=signals(None, 0.12, int(chosen[2])),
    )


def bins(seed: int) -> tuple[Bin, ...]:
    rng = np.random.default_rng(seed)
    told = np.linspace(0.04, 0.55, 10)
    found = []
    for i, each in enumerate(told):
        happened = float(np.clip(each + rng.normal(0, 0.02), 0, 1))
        wide = 0.01 + 0.01 * i
        low, high = max(happened - wide, 0.0), min(happened + wide, 1.0)
        count = int(8000 * np.exp(-i / 2))
        found.append(Bin(told=float(each), happened=happened, low=low, high=high, count=count))
    return tuple(found)


def curve(name: str, start: int, epochs: int, seed: int) -> LearningCurve:
    rng = np.random.default_rng(seed)
    loss = 0.62 + 0.1 * np.exp(-np.arange(epochs) / 6)
    validation = loss + 0.02 + 0.0015 * np.arange(epochs) + rng.normal(0, 0.002, epochs)
    return LearningCurve(
        name=name,
        start=start,
        loss=tuple(loss.tolist()),
        validation_loss=tuple(validation.tolist()),
        best=int(validation.argmin()) + 1,
        loss_of_frequencies=0.7,
    )


def shown_day(pair: str, start: int, price: float, seed: int, *, has_agent: bool = False) -> Day:
    rng = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(rng.normal(0, 0.0008, 1440)))
    spread = np.abs(rng.normal(0, 0.0005, (2, 1440)))
    calm = 0.5 + 0.3 * np.sin(np.arange(1440) / 140)
    scores = np.stack([0.18 - 0.1 * calm, 0.6 + 0.3 * calm, 0.2 - 0.12 * calm])
    scores = np.abs(scores + rng.normal(0, 0.01, (3, 1440)))
    scores /= scores.sum(axis=0)
    chances = {name: tuple(scores[i].round(5).tolist()) for i, name in enumerate(CLASSES)}
    chances = {name: (None, *values[1:]) for name, values in chances.items()}
    return Day(
        pair=pair,
        date=tuple(range(start, start + DAY, 60)),
        high=tuple((close * (1 + spread[0])).round(2).tolist()),
        low=tuple((close * (1 - spread[1])).round(2).tolist()),
        close=tuple(close.round(2).tolist()),
        probabilities=chances,
        entered_from={"SHORT": 0.2, "LONG": 0.22},
        actions=tuple(np.sign(np.sin(np.arange(1440) / 90)).astype(int).tolist())
        if has_agent
        else (),
        deals=(
            deal(pair, "LONG", start + 3 * 3600, close[180], 0.009),
            deal(pair, "SHORT", start + 14 * 3600, close[840], -0.006),
        ),
    )


def deal(pair: str, side: str, opened: int, rate: float, profit: float) -> Deal:
    sign = 1 if side == "LONG" else -1
    return Deal.model_validate(
        {
            "pair": pair,
            "side": side,
            "opened": float(opened),
            "closed": float(opened + 4500),
            "open_rate": float(rate),
            "close_rate": float(rate * (1 + sign * (profit + 0.001))),
            "profit": profit,
            "tag": "confident",
            "reason": "take_profit" if profit > 0 else "stop_loss",
        }
    )


def importances(pair: str, seed: int) -> Importances:
    rng = np.random.default_rng(seed)
    groups = ("range", "returns", "volume", "averages", "time of day")
    names = [f"{group}_{n}" for group in ("range", "return", "volume") for n in (15, 60, 180)]
    rows = [(name, True) for name in groups] + [(name, False) for name in names]
    return Importances(
        pair=pair,
        trained_until=START + 14 * DAY,
        windows=8123,
        repeats=5,
        log_loss=0.651,
        confusion=((310, 2100, 90), (220, 9800, 260), (85, 2250, 330)),
        rows=tuple(
            Importance(
                name=name,
                is_group=is_group,
                loss=float(rng.exponential(0.01)),
                error=0.001,
                of_class={c: float(rng.exponential(0.006)) for c in CLASSES},
            )
            for name, is_group in rows
        ),
    )


def agents(pairs: tuple[str, ...]) -> Agents:
    rng = np.random.default_rng(4)
    seeds = [
        AgentRow(
            name=f"seed {n}",
            is_baseline=False,
            growth=float(rng.normal(0.0008, 0.0008)),
            more={"time in the market": float(rng.uniform(0.1, 0.5)), "drawdown": 0.03},
        )
        for n in range(1, 7)
    ]
    baselines = [
        AgentRow(name="flat", is_baseline=True, growth=0.0, more={}),
        AgentRow(name="the rule", is_baseline=True, growth=0.0009, more={}),
        AgentRow(name="hold", is_baseline=True, growth=None, more={}),
    ]
    changes = tuple((START + 7200 * i, (-1, 0, 1, 0)[i % 4]) for i in range(80))
    return Agents(
        rows=(*seeds, *baselines),
        median="The median of six agents grows 0.08 % a day and pair, the rule 0.09 %.",
        worst="The worst one, seed 3, loses 0.05 % a day and pair.",
        notes=("seed 2 was not evaluated: its walk-forward has no candles after 2024-01-20",),
        positions=dict.fromkeys(pairs, changes),
    )


def live() -> Live:
    return Live(
        parity=Parity(
            checked=3412,
            problems=(),
            notes=("12 candles came later than their prediction and were left out",),
        ),
        pairs=(
            LivePair(
                pair="BTC/USDT",
                predictions=3423,
                without=9,
                trainings=9,
                failed_trainings=1,
                seconds_after_candle=1.84,
                kept_out={"stale": 4, "model too old": 5},
                last_error="training: no space left on device",
            ),
            LivePair(
                pair="ETH/USDT",
                predictions=3430,
                without=2,
                trainings=10,
                failed_trainings=0,
                seconds_after_candle=2.11,
                kept_out={},
                last_error=None,
            ),
        ),
    )


def rungs(names: tuple[str, ...]) -> tuple[Rung, ...]:
    return tuple(
        Rung(
            name=name,
            skill=Measured(mean=0.06 - 0.01 * i, low=0.035 - 0.012 * i, high=0.083 - 0.01 * i),
            above_zero=0.92 - 0.1 * i,
            worst=-0.01 - 0.01 * i,
            touch=0.085 - 0.01 * i,
            direction=0.001,
            calibration_error=0.012 + 0.004 * i,
            signals=1532 - 211 * i,
            hit_rate=0.44 - 0.02 * i,
            seconds=42.0 / (i + 1),
        )
        for i, name in enumerate(names)
    )


def rich(
    pairs: tuple[str, ...] = ("BTC/USDT", "ETH/USDT"), n_windows: int = 12, **more: Any
) -> Findings:
    """Everything that a backtest can have, with numbers that are plausible and no more."""
    rng = np.random.default_rng(1)
    windows = tuple(
        window(pair, START + 7 * DAY * i, 7, rng, 0.03 - 0.003 * i)
        for i in range(n_windows)
        for pair in pairs
    )
    above = sum(w.skill is not None and w.skill > 0 for w in windows)
    plain: dict[str, Any] = {
        "subject": subject(pairs, 7 * n_windows),
        "verdict": (
            sentence("skill", "good", "It foresees: skill +0.060 (+0.035 to +0.083)."),
            sentence("baseline", "good", "It is better than three numbers by 0.010."),
            sentence("direction", "neutral", "That is volatility: which way, it does not know."),
            sentence("value", "bad", "LONG signals hit 38 % and need 40 %: they lose money."),
            sentence("next", "neutral", "Try `dualwindow plan` for barriers that pay their fees."),
        ),
        "skill": Skill(
            mean=Measured(mean=0.06, low=0.035, high=0.083),
            touch=0.085,
            direction=0.001,
            above_zero=above,
            windows=len(windows),
            baseline="ranges",
            against_baseline=Measured(mean=0.01, low=0.002, high=0.018),
            ladder=rungs(("ensemble of lstm and trees", "ranges", "trend")),
            rows=windows,
        ),
        "ways": (
            way("most probable class", ((512, 9100, 210), (430, 88123, 395), (190, 9511, 640))),
            way("confidence", ((301, 9500, 21), (230, 88500, 218), (15, 9991, 335))),
        ),
        "thresholds": {"SHORT": thresholds(0.11), "LONG": thresholds(0.12)},
        "entered_from": {"SHORT": 0.4, "LONG": 0.35},
        "reliability": {name: bins(i) for i, name in enumerate(CLASSES)},
        "learning": tuple(
            curve(f"{pair}, lstm", START + 7 * DAY * i, 24, i)
            for i in range(n_windows)
            for pair in pairs
        ),
        "dropped": {"window spans a gap": 3120, "future not known": 840, "indicator unknown": 44},
        "importances": tuple(importances(pair, i) for i, pair in enumerate(pairs)),
        "funnel": (
            Step(name="candles", count=120960, lost={}),
            Step(name="predicted", count=118000, lost={"no model yet": 2960}),
            Step(name="probable enough", count=1532, lost={"below the threshold": 116468}),
            Step(name="independent", count=210, lost={"a signal runs already": 1322}),
            Step(name="trades", count=93, lost={"no free slot": 100, "spread": 17}),
        ),
        "exits": {"take_profit": 38, "stop_loss": 41, "horizon": 14},
        "days": tuple(
            shown_day(pair, START + 3 * DAY, price, i)
            for i, (pair, price) in enumerate(zip(pairs, (46000.0, 2300.0, 98.0), strict=False))
        ),
        "deals": 93,
        "profit": -0.0123,
        "live": None,
        "trials": Trials(tried=6, overfitting=0.31, deflated_sharpe=0.82, notes=()),
        "agents": None,
        "warnings": ("The last window is shorter than the others: 3 days.",),
    }
    return Findings.model_validate(plain | more)


def sentence(topic: str, tone: str, text: str) -> Sentence:
    return Sentence.model_validate({"topic": topic, "tone": tone, "text": text})


def poor() -> Findings:
    """As little as a report can have."""
    return Findings(
        subject=subject(("BTC/USDT",), train_days=None, barriers={}, break_even={}, versions={}),
        verdict=(sentence("skill", "neutral", "Nothing can be said: no candle has a label yet."),),
        skill=Skill(
            mean=NOTHING,
            touch=None,
            direction=None,
            above_zero=0,
            windows=0,
            baseline=None,
            against_baseline=None,
            ladder=(),
            rows=(),
        ),
        ways=(),
        thresholds={},
        entered_from={},
        reliability={},
        learning=(),
        dropped={},
        importances=(),
        funnel=(),
        exits={},
        days=(),
        deals=0,
        profit=None,
        live=None,
        trials=None,
        agents=None,
        warnings=(),
    )


def one_class() -> Findings:
    """Only HOLD ever happened, and nothing was entered."""
    rng = np.random.default_rng(2)
    only = window("BTC/USDT", START, 7, rng, 0.0)
    only = only.model_copy(
        update={
            "labels": {"SHORT": 0, "HOLD": 9960, "LONG": 0, "unknown": 120},
            "skill": None,
            "touch": None,
            "direction": None,
            "baseline_skill": None,
            "auc_short": None,
            "auc_long": None,
        }
    )
    empty = tuple(signals(t, 0.0, 0).model_copy(update={"base_rate": 0.0}) for t in (0.2, 0.4))
    return rich(
        pairs=("BTC/USDT",),
        n_windows=1,
        skill=poor().skill.model_copy(update={"rows": (only,), "windows": 1}),
        ways=(way("most probable class", ((0, 0, 0), (0, 9960, 0), (0, 0, 0))),),
        thresholds={"SHORT": empty, "LONG": empty},
        reliability={"HOLD": (Bin(told=0.99, happened=1.0, low=0.999, high=1.0, count=9960),)},
        exits={},
        deals=0,
        profit=None,
        days=(),
        importances=(),
    )


HOSTILE = "</script><script>alert('x')</script><b>%{y}&amp;@ink"


def hostile() -> Findings:
    """Names as nobody should choose them."""
    found = rich(pairs=(HOSTILE, "A/USDT"), n_windows=2)
    made = tuple(
        day.model_copy(
            update={
                "deals": tuple(
                    each.model_copy(update={"tag": HOSTILE, "reason": HOSTILE})
                    for each in day.deals
                )
            }
        )
        for day in found.days
    )
    return found.model_copy(
        update={
            "subject": subject((HOSTILE,), name=HOSTILE, kind=HOSTILE, confidence=HOSTILE),
            "verdict": (sentence("skill", "bad", HOSTILE),),
            "warnings": (HOSTILE,),
            "days": made,
            "exits": {HOSTILE: 3},
            "dropped": {HOSTILE: 3},
            "learning": (curve(HOSTILE, START, 3, 0),),
            "agents": agents((HOSTILE,)),
            "live": Live(parity=Parity(checked=0, problems=(HOSTILE,), notes=()), pairs=()),
        }
    )


def live_run() -> Findings:
    """A bot that has run for a while."""
    return rich(
        subject=subject(("BTC/USDT", "ETH/USDT"), source="live"), live=live(), importances=()
    )


def agent_run() -> Findings:
    """A backtest in which agents held positions."""
    pairs = ("BTC/USDT", "ETH/USDT")
    days = tuple(
        shown_day(pair, START + 3 * DAY, 100.0, i, has_agent=True) for i, pair in enumerate(pairs)
    )
    return rich(pairs, agents=agents(pairs), days=days)


def spot() -> Findings:
    """A strategy that cannot short, and a model whose classes are balanced."""
    plain = rich(n_windows=6, subject=subject(("BTC/USDT", "ETH/USDT"), can_short=False))
    long_alone = {"thresholds": {"LONG": plain.thresholds["LONG"]}, "entered_from": {"LONG": 0.35}}
    return plain.model_copy(
        update={
            "ways": tuple(each.model_copy(update={"short": None}) for each in plain.ways),
            "learning": tuple(
                each.model_copy(update={"loss_of_frequencies": None}) for each in plain.learning
            ),
            **long_alone,
        }
    )


def large() -> Findings:
    """Fifty windows of three pairs, the size that the page is measured with."""
    return rich(("BTC/USDT", "ETH/USDT", "SOL/USDT"), n_windows=50)


EXAMPLES = {
    "rich": rich,
    "poor": poor,
    "one-class": one_class,
    "hostile": hostile,
    "live": live_run,
    "agents": agent_run,
    "spot": spot,
}
