"""Means and intervals, paired differences, Bjontegaard deltas, cliffs, proportions."""
