"""Chaos: workers and brokers die in every way that can be thought of, and the numbers must not show it.

`make chaos` makes all runs and writes their figures to results.json; test_chaos.py is the short form in `make test`.
"""
