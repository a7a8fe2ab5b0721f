"""Real bots and backtests, made small: what tests and benchmarks share."""
