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
        if name != "dualwindow_freqtrade.live":
            return
        sys.meta_path.remove(self)
        import dualwindow.artifact
        import dualwindow.training
        import dualwindow_freqtrade.drawer as drawer

        counts = {"n": 0}

        def after(function, n):
            def counted(*args, **kwargs):
                counts["n"] += 1
                if counts["n"] == n:
                    die()
                return function(*args, **kwargs)

            return counted

        if WHAT == "saving":  # two pairs have been saved; the third file of the next one
            drawer.write_aside = after(drawer.write_aside, 23)
        if WHAT == "predicting":
            predict = dualwindow.artifact.Artifact.predict
            dualwindow.artifact.Artifact.predict = after(predict, 9)
        if WHAT == "training":
            import dualwindow.network

            dualwindow.network.fit = after(dualwindow.network.fit, 4)
        return


if WHAT:
    sys.meta_path.insert(0, _Hook())
