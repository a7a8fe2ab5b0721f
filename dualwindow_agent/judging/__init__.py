"""What agents are worth, beside those whom they have to beat."""
