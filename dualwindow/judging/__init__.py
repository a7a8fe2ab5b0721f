"""What predictions are worth, and what to decide on them."""
