"""The OFDM resource grid: pilots, estimation, antennas, impairments."""
