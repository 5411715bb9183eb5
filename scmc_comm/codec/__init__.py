"""The three layers and the layered codec."""
