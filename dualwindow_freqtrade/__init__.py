"""What the adapters share that needs freqtrade; the core never imports it."""
