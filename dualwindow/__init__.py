"""The framework-free core of DualWindowLSTM: candles in, calibrated class probabilities out."""

__version__ = "0.1.0"
