"""What every component owes, as tests: ``pytest --pyargs scmc_comm.testing --plugin FILE.py``."""
