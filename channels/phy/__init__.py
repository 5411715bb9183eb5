"""Physical layers, all with the same send(): bit-true, table, OFDM, HARQ, analog."""
