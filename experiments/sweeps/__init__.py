"""Shipped sweeps: one file each, a frozen `SweepSpec` or `TimedSpec` called ``SWEEP``, no more."""
