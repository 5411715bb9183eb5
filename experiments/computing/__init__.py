"""Times of encoders and decoders on this machine, kept in a file so that results repeat."""
