"""What runs a sweep: its spec, its tasks, its result store."""
