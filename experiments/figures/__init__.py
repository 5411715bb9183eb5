"""Figures of a sweep, drawn from its result store and nothing else."""
