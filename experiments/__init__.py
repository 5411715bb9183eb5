"""Sweeps, statistics, the result store and figures."""
