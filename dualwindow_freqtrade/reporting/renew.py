"""Write a report without anybody waiting: ``python -m dualwindow_freqtrade.reporting.renew``.

What is imported here costs a bot nothing: all that takes seconds waits for the lowest priority.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

NOTHING_YET = 3  # exit status: nothing is there that could be judged
LONGEST = 600  # seconds that a report may take
_FAILED = 1
_LOWEST = 19  # priority: whatever else wants the processor comes first


def main(words: Sequence[str]) -> int:
    """Write the report of a folder; return the exit status.

    Parameters
    ----------
    words : the folder of an identifier, and ``live`` or ``backtest``
    """
    folder, kind = Path(words[0]), words[1]
    signal.alarm(LONGEST)  # also where nobody sees after it any more
    if kind == "live":
        os.nice(_LOWEST)
    from dualwindow_freqtrade.reporting.live import NothingYetError
    from dualwindow_freqtrade.reporting.run_file import RunError
    from dualwindow_freqtrade.reporting.write import write_report_of

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
