"""The schemes that the layered codec is compared with."""
