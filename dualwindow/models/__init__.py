"""Classifiers: what learns from windows, and gives scores of SHORT, HOLD and LONG."""
