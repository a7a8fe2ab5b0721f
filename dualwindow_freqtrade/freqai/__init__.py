"""FreqAI's words and frames, translated to those of the core and back."""
