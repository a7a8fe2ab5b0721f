"""The market an agent acts in, and what it sees of it."""
