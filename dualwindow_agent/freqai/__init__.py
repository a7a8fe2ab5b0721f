"""The agent in freqtrade: read, trained, and followed, in backtests as live."""
