"""See `channels.npz`; here for the codec, which sees nothing of the channels."""

from channels.npz import read_npz as read_npz
