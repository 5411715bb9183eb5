"""What a link does to symbols: AWGN, block fading, Clarke, TDL, CDL, ray-traced scenes, traces."""
