"""Strategies at work: the fold that runs them, and the hands that carry out what they decide."""
