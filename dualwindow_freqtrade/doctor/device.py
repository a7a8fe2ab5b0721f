"""Say on what TensorFlow would compute, and with how many threads."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from dualwindow.outside import cores
from dualwindow.settings import EnsembleSettings, NetworkSettings
from dualwindow_freqtrade.doctor.patient import Patient
from dualwindow_freqtrade.doctor.rows import Row, State, passed
from dualwindow_freqtrade.freqai.threads import allowed_threads

# In a process of its own, and only where there is a GPU: it takes seconds and half a gigabyte.
_ASK = "from dualwindow.models.device import use_device; print(use_device())"
_SECONDS = 120


def look_at_device(patient: Patient) -> Iterator[Row]:
    """See whether networks would be trained on a GPU, without loading TensorFlow where none is."""
    topic = "device"
    if not _has_gpu():
        yield passed(topic, f"no NVIDIA GPU here: networks are trained on {cores()} cores")
        return
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        yield passed(topic, "the GPU is hidden by CUDA_VISIBLE_DEVICES: trained on the cores")
        return
    try:
        asked = subprocess.run(
            [sys.executable, "-c", _ASK],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        found = asked.stdout.strip().splitlines()[-1]
    except (subprocess.SubprocessError, IndexError) as error:
        yield Row(topic, State.WARN, f"TensorFlow does not start: {error}", "reinstall tensorflow")
        return
    if found.startswith("GPU"):
        yield passed(topic, f"TensorFlow uses {found}")
    else:
        told = f"there is an NVIDIA GPU, but TensorFlow uses {found}"
        fix = "pip install 'tensorflow[and-cuda]', or nothing: the cores are fast enough for most"
        yield Row(topic, State.WARN, told, fix)


def _has_gpu() -> bool:
    return any(Path("/dev").glob("nvidia[0-9]*"))


def look_at_threads(patient: Patient) -> Iterator[Row]:
    """Say how many threads a backtest and a bot have."""
    topic, n_cores = "threads", cores()
    wanted = patient.model.configuration.threads
    numbers = {
        how: allowed_threads(wanted, is_live=is_live) or n_cores
        for how, is_live in (("a backtest", False), ("a bot", True))
    }
    told = ", ".join(f"{how} {n}" for how, n in numbers.items())
    model = patient.model.settings.model
    members = model.members if isinstance(model, EnsembleSettings) else (model,)
    kind = "" if any(isinstance(m, NetworkSettings) for m in members) else " (no network here)"
    if wanted is not None and wanted > n_cores:
        fix = f"set freqai.dual_window.threads to at most {n_cores}, or leave it out"
        yield Row(topic, State.WARN, f"{wanted} threads on {n_cores} cores", fix)
    else:
        yield passed(topic, f"{told} of {n_cores} cores{kind}")
