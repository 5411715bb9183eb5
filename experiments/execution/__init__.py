"""Where work runs and what it remembers: the cache and the executors."""
