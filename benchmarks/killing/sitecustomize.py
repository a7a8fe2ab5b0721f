"""End a bot by kill -9 at a moment named in DUALWINDOW_KILL; Python imports this by itself."""

import os
import signal
import sys
from importlib.abc import MetaPathFinder

WHAT = os.environ.get("DUALWINDOW_KILL")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Hook(MetaPathFinder):
    """Waits for the module that is to be watched, and lets everything else pass."""

    def find_spec(self, name, path=None, target=None):
        if name != "dualwindow_freqtrade.live.loop":
            return
        sys.meta_path.remove(self)
        import dualwindow_freqtrade.live.drawer as drawer

        counts = {"n": 0}

        def after(function, n):
            def counted(*args, **kwargs):
                counts["n"] += 1
                result = function(*args, **kwargs)
                if counts["n"] == n:
                    die()
                return result

            return counted

        if WHAT == "saving":  # the third file of the sixth model; predictions are stored
            drawer.write_aside = after(drawer.write_aside, 45)
        if WHAT == "predicting":  # the probabilities are there, FreqAI has not seen them
            import dualwindow.learning.artifact

            predict = dualwindow.learning.artifact.Artifact.predict
            dualwindow.learning.artifact.Artifact.predict = after(predict, 11)
        if WHAT == "training":  # amid the batches of the fourth training or so
            import dualwindow.models.keras_training

            progress = dualwindow.models.keras_training._Progress
            progress.on_train_batch_end = after(progress.on_train_batch_end, 110)


if WHAT:
    sys.meta_path.insert(0, _Hook())
