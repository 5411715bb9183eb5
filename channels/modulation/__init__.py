"""Gray-labelled QPSK and QAM: mapping, soft demapping, mutual information."""
