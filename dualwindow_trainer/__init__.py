"""Train without a bot: from files of candles to files of a model.

It needs no freqtrade; of the bridge it knows the words of the configuration alone.
"""
