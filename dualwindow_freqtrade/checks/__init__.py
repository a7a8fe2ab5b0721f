"""Hold a live run or a strategy against a backtest."""
