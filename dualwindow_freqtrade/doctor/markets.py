"""Ask the exchange whether it has the pairs and timeframes that are wanted of it."""

from collections.abc import Iterator
from difflib import get_close_matches

from freqtrade.exceptions import OperationalException, TemporaryError
from freqtrade.plugins.pairlistmanager import PairListManager

from dualwindow_freqtrade.doctor.patient import PATIENCE, Patient
from dualwindow_freqtrade.doctor.rows import Row, State, of_error, passed

_TOPIC = "exchange"


def look_at_exchange(patient: Patient) -> Iterator[Row]:
    """Make the checks that a start makes with the exchange; what can be without it, also offline.

    It is asked for what it tells everybody, never with the user's key.
    """
    rows = [*_look_at_timeframes(patient), *_look_at_markets(patient)]
    yield from rows or [passed(_TOPIC, f"{patient.exchange.name} has all pairs and timeframes")]


def _look_at_timeframes(patient: Patient) -> Iterator[Row]:
    """See whether the exchange makes such candles, which freqtrade knows without asking it."""
    others = patient.freqai.get("feature_parameters", {}).get("include_timeframes", [])
    keys = dict.fromkeys(others, "freqai.feature_parameters.include_timeframes")
    for timeframe, key in {**keys, patient.config["timeframe"]: "timeframe"}.items():
        try:
            patient.exchange.validate_timeframes(timeframe)
        except OperationalException as error:
            yield of_error(_TOPIC, error, f"set {key} to what it has")


def _look_at_markets(patient: Patient) -> Iterator[Row]:
    exchange, stake = patient.exchange, patient.config.get("stake_currency", "")
    try:
        patient.ask_for_markets()
    except TemporaryError as error:
        told = " ".join(str(error).split())
        yield Row(
            _TOPIC,
            State.WARN,
            f"{exchange.name} did not tell within {PATIENCE} s what it trades, so neither pairs "
            f"nor stake_currency were checked: {told}",
            "run again where it can be reached; without it, a backtest does not start either",
        )
        return
    try:
        exchange.validate_stakecurrency(stake)
    except OperationalException as error:
        yield of_error(_TOPIC, error)
        return
    if not patient.pairlists:
        yield from _look_at_whitelist(patient)
    features = patient.freqai.get("feature_parameters", {})
    for pair in features.get("include_corr_pairlist", []):
        if pair not in exchange.markets:
            told = f"{pair}, of which features are wanted, is not listed there"
            fix = f"correct freqai.feature_parameters.include_corr_pairlist{_like(patient, pair)}"
            yield Row(_TOPIC, State.FAIL, told, fix)


def _look_at_whitelist(patient: Patient) -> Iterator[Row]:
    """Let freqtrade make its list: it drops what it cannot trade with no more than a line of log.

    One pair less does little harm; without any, a backtest stops, and a bot does nothing.
    """
    exchange = patient.exchange
    first = patient.config.get("pairlists", [])[:1] or [{"method": "StaticPairList"}]
    pairs = PairListManager(exchange, {**patient.config, "pairlists": first})
    pairs.refresh_pairlist()
    state = State.WARN if pairs.whitelist else State.FAIL
    dropped = [pair for pair in patient.pairs if pair not in pairs.whitelist]
    for pair in dropped:
        told = f"{pair} is dropped: {_reason(patient, pair)}"
        fix = f"correct exchange.pair_whitelist{_like(patient, pair)}"
        yield Row(_TOPIC, state, told, fix)
    if not pairs.whitelist and patient.patterns:
        told = f"nothing that it trades is like {', '.join(patient.patterns)}"
        yield Row(_TOPIC, state, told, "correct exchange.pair_whitelist")


def _reason(patient: Patient, pair: str) -> str:
    config = patient.config
    if pair not in patient.exchange.markets:
        return f"{patient.exchange.name} does not list it"
    return (
        f"as trading_mode {config.get('trading_mode', 'spot')} with stake_currency "
        f"{config['stake_currency']} it cannot be traded, or it is closed, or in pair_blacklist"
    )


def _like(patient: Patient, pair: str) -> str:
    """Say what may have been meant."""
    traded = patient.exchange.get_markets(
        quote_currencies=[patient.config["stake_currency"]], active_only=True
    )
    by_coin = {each.partition("/")[0]: each for each in traded if each not in patient.pairs}
    close = get_close_matches(pair.partition("/")[0], by_coin, n=1, cutoff=0.75)
    return f"; did you mean '{by_coin[close[0]]}'?" if close else ""
