"""Train without a bot: from files of candles to files of a model. It knows nothing of freqtrade."""
