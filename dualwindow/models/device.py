"""Which device and how many threads TensorFlow uses in this process."""

import contextlib
import os
from functools import lru_cache

import keras
import tensorflow as tf

from dualwindow.settings import ClassifierSettings


def use_threads(settings: ClassifierSettings, n: int) -> None:
    """Cap the threads of TensorFlow's operations; only before the first of them has run."""
    # TensorFlow refuses where something in the process has used it before; then so be it.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(n)


@lru_cache(maxsize=1)
def use_device() -> str:
    """Set the process's device up, once, and say in words what it is."""
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "Keras must run on TensorFlow; unset KERAS_BACKEND. "
            f"Received: KERAS_BACKEND={keras.backend.backend()!r}"
        )
    # Same seed, same bits, also on a GPU.
    tf.config.experimental.enable_op_determinism()
    # An LSTM is one long chain: running operations side by side gains no time and costs 100 MB.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_inter_op_parallelism_threads(1)
    devices = tf.config.list_physical_devices("GPU")
    for device in devices:
        tf.config.experimental.set_memory_growth(device, enable=True)
    names = [tf.config.experimental.get_device_details(d).get("device_name", "?") for d in devices]
    return f"GPU ({', '.join(names)})" if devices else f"CPU ({os.cpu_count()} cores)"
