"""See whether what lies under the identifier is what the settings would make, and who uses it."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

from dualwindow.reports.progress import in_words
from dualwindow_freqtrade.backtest.cache import CacheError, CacheRecord
from dualwindow_freqtrade.doctor.patient import Patient
from dualwindow_freqtrade.doctor.rows import Row, State, passed
from dualwindow_freqtrade.freqai.fingerprint import Fingerprint
from dualwindow_freqtrade.freqai.folder_use import remedy
from dualwindow_freqtrade.freqai.names import PAIR_DICTIONARY
from dualwindow_freqtrade.freqai.sources import shown
from dualwindow_freqtrade.live.presence import is_bot_there
from dualwindow_freqtrade.live.saved_models import trouble_with
from dualwindow_freqtrade.live.status import STATUS_FILE

_SILENT = 600  # seconds without a word, after which a bot that was not stopped has been killed


def _fingerprint(patient: Patient) -> Fingerprint:
    found: Fingerprint = patient.model.fingerprint
    found.digest_code(patient.started)
    return found


def look_at_models(patient: Patient) -> Iterator[Row]:
    """See whether a bot would go on with the models that lie there."""
    topic, path = "saved models", patient.folder / PAIR_DICTIONARY
    try:
        known: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    except ValueError as error:
        told = f"{path} is damaged ({error})"
        yield Row(topic, State.WARN, told, "nothing: the bot sets it aside, and trains anew")
        return
    trained = {p: v for p, v in known.items() if p in patient.pairs and v.get("trained_timestamp")}
    if not trained:
        yield passed(topic, f"none of a bot yet in {shown(patient.folder)}: it will train")
        return
    drawer = patient.model.dd
    drawer.pair_dict = known  # the model was made apart, where nothing lies
    for pair in trained:
        dk = FreqaiDataKitchen(patient.model.config, live=True, pair=pair)
        if reason := trouble_with(drawer, dk, _fingerprint(patient)):
            told = f"{pair}: the model is not used: {reason}"
            fix = "nothing, if you mean to train anew; otherwise put back what has changed"
            yield Row(topic, State.WARN, told, fix)
        else:
            yield passed(topic, f"{pair}: a bot goes on with the model of before")


def look_at_cache(patient: Patient) -> Iterator[Row]:
    """See whether a backtest would refuse the predictions that are cached."""
    topic, record = "backtest cache", CacheRecord(patient.folder)
    if not record.binds():
        yield passed(topic, f"empty: {shown(patient.folder)}")
        return
    try:
        record.check_all(_fingerprint(patient).parts())
        yield passed(topic, f"what lies in {shown(patient.folder)} fits these settings")
    except CacheError as error:
        fix = remedy(patient.folder)
        yield Row(topic, State.FAIL, str(error).removesuffix(f"; {fix}"), fix)


def look_for_bot(patient: Patient) -> Iterator[Row]:
    """See whether a bot is at work in the folder."""
    topic, path = "running bot", patient.folder / STATUS_FILE
    facts = json.loads(path.read_text()) if path.is_file() else {}
    silent = None
    if "updated" in facts:
        silent = max(0.0, patient.now - datetime.fromisoformat(facts["updated"]).timestamp())
    is_there = is_bot_there(patient.folder)
    if is_there is None:  # one of an earlier version says nothing else
        is_there = silent is not None and not facts.get("stopped") and silent < _SILENT
    wrote = "" if silent is None else f", it wrote its status {in_words(silent)} ago"
    if is_there:
        fix = "start no other with the same identifier; a backtest may run beside it"
        yield Row(topic, State.WARN, f"one runs with this identifier{wrote}", fix)
    elif silent is not None:
        word = "was stopped" if facts.get("stopped") else "ended without saying so"
        yield passed(topic, f"none: the last {word} {in_words(silent)} ago")
    else:
        yield passed(topic, "none has run with this identifier")
