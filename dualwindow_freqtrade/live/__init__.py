"""Keep a bot that is left alone right: candles, trainings, predictions, files, status."""
