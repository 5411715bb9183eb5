"""Speed of the link, the sweeps and the codec, each figure beside the plain way, in one run."""
