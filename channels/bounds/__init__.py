"""What no code beats: capacity, the normal approximation, outage."""
