"""Let models of a backtest become those that a live bot starts with."""
