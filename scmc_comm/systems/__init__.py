"""Complete schemes, one file each, from image to frames and back."""
