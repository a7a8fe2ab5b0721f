"""Write a report without anybody waiting: ``python -m dualwindow_freqtrade.reporting.renew``."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from dualwindow_freqtrade.reporting.renewal import LONGEST, NOTHING_YET

_FAILED = 1
_LOWEST = 19  # priority: whatever else wants the processor comes first


def main(words: Sequence[str]) -> int:
    """Write the report of a folder; return the exit status.

    Parameters
    ----------
    words : the folder of an identifier, and ``live`` or ``backtest``
    """
    from dualwindow_freqtrade.reporting.live import NothingYetError
    from dualwindow_freqtrade.reporting.run_file import RunError
    from dualwindow_freqtrade.reporting.write import write_report_of

    folder, kind = Path(words[0]), words[1]
    if kind == "live":
        os.nice(_LOWEST)
    signal.alarm(LONGEST)  # also where nobody sees after it any more
    try:
        print(f"The report: {write_report_of(folder, is_live=kind == 'live')}")
    except NothingYetError:
        return NOTHING_YET
    except (RunError, OSError) as error:
        print(error, file=sys.stderr)
        return _FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
