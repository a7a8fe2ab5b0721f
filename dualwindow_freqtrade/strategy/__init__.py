"""The strategy's half: its rule, where its values come from, and what hyperopt has found."""
