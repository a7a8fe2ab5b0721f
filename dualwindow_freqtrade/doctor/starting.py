"""Let strategy and model check what they check when a bot starts."""

import stat
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from freqtrade.configuration import validate_config_consistency
from freqtrade.enums import RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.strategy import IStrategy

from dualwindow_freqtrade.doctor.patient import Patient
from dualwindow_freqtrade.doctor.rows import Row, State, of_error, passed, refused
from dualwindow_freqtrade.live.candles import refuse_short_frames
from dualwindow_freqtrade.live.rest_api import CredentialsError, read_credentials
from dualwindow_freqtrade.strategy.hyperopt_file import hyperopt_path, values_found
from dualwindow_freqtrade.strategy.rule_parameters import begin_parameters, read_fees

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def look_at_strategy(patient: Patient) -> Iterator[Row]:
    """Load the strategy."""
    found = patient.loaded
    if isinstance(found, Exception):
        fix = "name a strategy that is there with --strategy, or mend what it says"
        yield of_error("strategy", f"{type(found).__name__}: {found}", fix)
    else:
        told = f"{type(found).__name__}, startup_candle_count {found.startup_candle_count}"
        yield passed("strategy", told)
        yield from _look_as_bot(patient)


def _look_as_bot(patient: Patient) -> Iterator[Row]:
    """See whether a bot could trade with it, whose configuration needs more than a backtest's."""
    if patient.completed.refusal is not None:
        return  # which has been told
    as_bot = {**deepcopy(patient.config), "runmode": RunMode.DRY_RUN}
    try:
        validate_config_consistency(as_bot)
    except OperationalException as error:
        told = f"'freqtrade trade' would refuse it: {' '.join(str(error).split())}"
        yield Row("configuration", State.FAIL, told, "add it; a backtest alone can do without")


def look_at_start(patient: Patient) -> Iterator[Row]:
    """Make the checks of a start one by one, and then the start itself."""
    strategy, model = patient.started, patient.model
    rows = list(_checks(patient, strategy, model))
    yield from rows
    if not _is_ours(strategy):
        yield passed("start", f"{type(strategy).__name__} starts as it likes; it was not tried")
        return
    told = {f"{row.found}; {row.fix}" for row in rows}
    for row in refused("start", Exception, strategy.bot_start):
        if not any(row.found in each for each in told):  # the first that stops it is known
            yield row
    if not rows:
        yield passed("start", "strategy and model start with these settings")


def _checks(patient: Patient, strategy: IStrategy, model: Any) -> Iterator[Row]:
    exchange = patient.exchange

    def ask_often_enough() -> None:
        exchange.required_candle_call_count = exchange.validate_required_startup_candles(
            strategy.startup_candle_count, strategy.timeframe
        )
        refuse_short_frames(strategy, model.settings.history)

    yield from refused("candles at hand", OperationalException, ask_often_enough)
    if not _is_ours(strategy):
        return
    confidence = model.configuration.confidence
    checks: dict[str, Callable[[], object]] = {
        "features": strategy._check_feature_keys,
        "fee": lambda: read_fees(patient.config, confidence.mode),
        "confidence": lambda: begin_parameters(strategy, confidence),
    }
    for topic, check in checks.items():
        yield from refused(topic, OperationalException, check)
    yield from _look_at_hyperopt(strategy, confidence.mode)


def _look_at_hyperopt(strategy: IStrategy, mode: str) -> Iterator[Row]:
    """See whether hyperopt has left values behind, which win over the configuration."""
    path = hyperopt_path(strategy)
    if not path.is_file():
        return
    state, found = State.WARN, f"{path}, which hyperopt wrote, overrides the configuration"
    try:
        values_found(strategy, mode)
    except OperationalException as error:
        state, found = State.FAIL, str(error)
    fix = "delete it to trade by the configuration, or run hyperopt again"
    yield Row("hyperopt", state, found, fix)


def _is_ours(strategy: IStrategy) -> bool:
    return any(base.__name__ == "DualWindowStrategy" for base in type(strategy).__mro__)


def look_at_rest_api(patient: Patient) -> Iterator[Row]:
    """See whether the bot's server is closed to others."""
    topic, api = "REST API", patient.config.get("api_server", {})
    if not isinstance(api, dict) or not api.get("enabled"):
        yield passed(topic, "switched off")
        return
    path = patient.user_data / "rest_api.json"
    address, troubles = str(api.get("listen_ip_address", "")), []
    if path.is_file():
        troubles += list(refused(topic, CredentialsError, lambda: read_credentials(path)))
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            told = f"others than its owner may read {path}, with the password"
            troubles.append(Row(topic, State.WARN, told, f"chmod 600 {path}"))
    if address not in _LOOPBACK:
        troubles.append(
            Row(
                topic,
                State.WARN,
                f"it listens on {address or 'no address'}: all who reach this machine reach it",
                "set api_server.listen_ip_address to 127.0.0.1, unless it is in a container",
            )
        )
    yield from troubles or [passed(topic, f"on {address}:{api.get('listen_port')}")]
