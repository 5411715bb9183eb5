"""Simulated links: bits, codewords, symbols, gains and seconds; nothing here knows an image."""
