"""Rate, distortion and perception of source codecs, without a channel."""
