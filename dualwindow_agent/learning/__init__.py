"""How an agent learns, and what it has learnt."""
