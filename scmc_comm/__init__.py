"""SCMC: an image coded in semantic, structure and signal layers, sent over simulated links."""

__version__ = "0.1.0"
