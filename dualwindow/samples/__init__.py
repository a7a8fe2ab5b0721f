"""From candles to samples: which windows there are, and how they are split, weighed and scaled."""
