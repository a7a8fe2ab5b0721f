"""Train, cache and compare the windows of a backtest."""
