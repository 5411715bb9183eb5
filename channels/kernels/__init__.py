"""Compiled inner loops: LDPC, demapping, normal variates."""
