"""One flat, resumable script per network."""
