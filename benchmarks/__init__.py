"""Measurements, each beside something known that is measured in the same run. `python -m benchmarks` runs them all.

A figure from one run on one machine says little; the ratios say more. None of this is part of the installed package.
"""
