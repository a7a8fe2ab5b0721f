"""Candles of one pair, and what can be computed from them alone: features and labels."""
