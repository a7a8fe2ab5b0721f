"""Numbers laid out for people; nothing is computed here."""
