"""Block error rate tables: measured, stored, interpolated."""
