"""Backtests: a strategy over tapes with the simulated venue, what came of it, and the report on it."""
