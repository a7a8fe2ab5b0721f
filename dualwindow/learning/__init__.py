"""One training, its record and its artifact; many of them in a walk-forward."""
