"""Shipped sweeps: one file each, holding a frozen `SweepSpec` called ``SWEEP`` and no more."""
