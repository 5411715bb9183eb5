"""The report of finished sweeps: one page, a PDF and the figures beside it."""
