"""Weights: the package's own and where to find those of the metric networks."""
