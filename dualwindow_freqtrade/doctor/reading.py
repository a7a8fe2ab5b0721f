"""Read the configuration as the bot does, and say in words what it amounts to."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dualwindow.market.candle_files import seconds
from dualwindow.market.labels import Labelling
from dualwindow.reports.progress import in_words
from dualwindow.settings import EnsembleSettings, Settings
from dualwindow_freqtrade.doctor.patient import Patient
from dualwindow_freqtrade.doctor.rows import NotThereError, Row, State, of_error, passed
from dualwindow_freqtrade.freqai.configuration import ConfigurationError, refuse_other_features
from dualwindow_freqtrade.freqai.sources import identifier_source, others_beside, shown


def look_at_files(patient: Patient) -> Iterator[Row]:
    """Read the files, and let freqtrade check them."""
    topic = "configuration"
    try:
        patient.written  # noqa: B018 - read when first asked for
    except Exception as error:  # of a damaged file, almost any
        there = [others_beside(Path(path)) for path in patient.arguments["config"]]
        fix = "; ".join(filter(None, there)) or "mend this file: it is damaged"
        yield of_error(topic, error, fix)
        return
    config, refusal = patient.completed
    files = ", ".join(shown(Path(path)) for path in config.get("config_files", [])) or "none"
    if refusal is not None:
        yield of_error(topic, refusal)
    else:
        yield passed(topic, f"freqtrade takes it: {files}")
    if not config.get("freqai"):
        told = "there is no block 'freqai', without which nothing is predicted"
        yield Row("freqai", State.FAIL, told, "add it: config/base.json has one")
    elif isinstance(config["freqai"], dict):
        yield from _look_at_identifier(config)
    if not config.get("freqaimodel"):
        fix = "set freqaimodel to DualWindowLSTM, or give it with --freqaimodel"
        yield Row("model", State.FAIL, "no freqaimodel is named", fix)
    if not config.get("process_only_new_candles", True):
        told = "process_only_new_candles is false, which FreqAI refuses"
        yield Row(topic, State.FAIL, told, "set it to true, or leave it out")


def _look_at_identifier(config: Mapping[str, Any]) -> Iterator[Row]:
    source = identifier_source(config)
    if source.shared:
        found, _, fix = source.shared.partition("; ")
        yield Row("identifier", State.WARN, f"{source}; {found}", fix)
    elif source.identifier:
        yield passed("identifier", str(source))


def look_at_model(patient: Patient) -> Iterator[Row]:
    """Let the model read its settings, as it does when it is made."""
    made, topic = patient.made, "model"
    if not patient.freqai.get("enabled"):
        yield Row(topic, State.FAIL, "FreqAI is switched off", "set freqai.enabled to true")
    if not isinstance(made, Exception):
        yield passed(topic, f"{type(made).__name__} takes the settings")
        return
    cause = made.__cause__
    if isinstance(cause, ConfigurationError):
        yield from (of_error("settings", problem) for problem in cause.problems)
    else:
        fix = "name a model that is there with --freqaimodel, or mend what it says"
        yield of_error(topic, f"{type(made).__name__}: {made}", fix)


def put_into_words(patient: Patient) -> Iterator[Row]:
    """Say what the settings amount to."""
    model, freqai, config = patient.model, patient.freqai, patient.config
    settings: Settings = model.settings
    step = seconds(config["timeframe"])
    yield passed(
        "windows",
        f"looks back over {settings.history} candles ({in_words(settings.history * step)}), "
        f"foresees {settings.horizon} ({in_words(settings.horizon * step)})",
    )
    yield passed("labels", _labels(settings))
    yield passed(
        "training",
        f"{_kind(settings)}, on {freqai.get('train_period_days')} days "
        f"{'of all pairs together' if settings.pooling == 'whitelist' else 'of each pair'}, the "
        f"latest {100 * settings.validation_share:g} % for validation",
    )
    confidence = model.configuration.confidence
    yield passed("confidence", f"{confidence.mode}{_terms(confidence)}, fee {config.get('fee')}")
    yield passed(
        "market",
        f"{config.get('trading_mode', 'spot')}, {', '.join(patient.pairs)}, "
        f"{config['timeframe']} candles with {_others(patient)}",
    )


def _labels(settings: Settings) -> str:
    labels = settings.labels
    if labels.rule == "smoothed":
        return f"smoothed, delta {labels.delta}"
    barriers = Labelling.of(settings).barriers
    return (
        f"{labels.rule}: LONG +{100 * barriers.long_take_profit:g} % before "
        f"-{100 * barriers.long_stop_loss:g} %, SHORT -{100 * barriers.short_take_profit:g} % "
        f"before +{100 * barriers.short_stop_loss:g} %"
    )


def _kind(settings: Settings) -> str:
    model = settings.model
    if isinstance(model, EnsembleSettings):
        return f"ensemble of {' and '.join(member.kind for member in model.members)}"
    return str(model.kind)


def _terms(confidence: Any) -> str:
    if confidence.mode == "expected_value":
        return f", margin {confidence.margin:g}"
    return "" if confidence.long is None else f", {confidence.short:g} and {confidence.long:g}"


def _others(patient: Patient) -> str:
    features = patient.freqai.get("feature_parameters", {})
    timeframes = [t for t in features.get("include_timeframes", []) if isinstance(t, str)]
    return f"{' '.join(timeframes)} features"


def _look_at_whitelist(patient: Patient) -> Iterator[Row]:
    topic = "pairs"
    asked = [*patient.pairlists, *patient.patterns]
    if asked:
        fix = "to have candles looked at, name pairs in exchange.pair_whitelist; no pattern"
        told = f"{', '.join(asked)}: only the exchange can tell which pairs those are"
        yield Row(topic, State.WARN, told, fix)
    elif not patient.pairs:
        yield Row(topic, State.FAIL, "the whitelist is empty", "set exchange.pair_whitelist")


def look_at_pairs(patient: Patient) -> Iterator[Row]:
    """See whether all pairs can be learnt from, and kept apart."""
    yield from _look_at_whitelist(patient)
    topic = "pairs"
    if not patient.pairs:
        return
    coins: dict[str, list[str]] = {}
    for pair in patient.pairs:
        coins.setdefault(pair.partition("/")[0], []).append(pair)
    for coin, pairs in coins.items():
        if len(pairs) > 1:
            yield Row(
                topic,
                State.FAIL,
                f"FreqAI names files after the coin alone: {' and '.join(pairs)} would share those "
                f"of {coin}",
                "run each of them with an identifier of its own",
            )
    try:
        refuse_other_features(patient.config, patient.model.settings)
    except NotThereError:
        raise
    except ConfigurationError as error:
        yield from (of_error(topic, problem) for problem in error.problems)
