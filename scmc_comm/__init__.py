"""SCMC: an image coded in semantic, structure and signal layers, sent over simulated links."""

from channels.plugins import register

__all__ = ["register"]
__version__ = "0.2.0"
