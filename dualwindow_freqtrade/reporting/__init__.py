"""What a report needs of a backtest or a bot: its predictions, its rule and its trades."""
