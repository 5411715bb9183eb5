"""Every number of README and docs: the commands that make it, its file, and its place in a page."""
